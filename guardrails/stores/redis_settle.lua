-- Commit and release: what became of a reservation.
--
-- ARGV: time or nothing, `commit` or `release`, id, who settles it; for a commit keys and amounts in turn, for
-- a release whether the call failed. Who settles is remembered for a while, so that a call which the network
-- repeated gets the answer that it had.

local operation, id, settler = ARGV[2], ARGV[3], ARGV[4]

local function report(hold, outcome)
  if hold.reported then return end
  hold.reported = outcome ~= 'none'
  if hold.gates[1] then need('gates') end
  local told = {}
  for at = 1, #hold.gates, 2 do
    local key = hold.gates[at]
    if not told[key] then M.settle_gate(M.gate_of(key, hold.gates[at + 1]), id, outcome) end
    told[key] = true
  end
end

-- A reported amount such as `12.5` in units of the counter; nothing and the error if it does not fit.
local function units_of(reported, decimals)
  local whole, fraction = reported:match('^(%d+)%.?(%d*)$')
  if #fraction > decimals then return nil, 'GUARD fine ' .. reported end
  local units = (whole .. fraction .. string.rep('0', decimals - #fraction)):gsub('^0+(%d)', '%1')
  if #units > #MOST_UNITS or (#units == #MOST_UNITS and units > MOST_UNITS) then return nil, 'GUARD large' end
  return units
end

-- What each charge comes to, in units; nothing and the error if something reported does not fit.
local function finals_of(hold)
  local reported, known, finals = {}, {}, {}
  for at = 5, #ARGV, 2 do reported[ARGV[at]] = ARGV[at + 1] end
  for index = 1, #hold.charges / 4 do
    local key, decimals = M.charge_at(hold, index):match('^(.*)|[^|]*#(%d+)$')
    known[key] = true
    if reported[key] then
      local units, problem = units_of(reported[key], tonumber(decimals))
      if not units then return nil, problem end
      finals[index] = units
    end
  end
  for at = 5, #ARGV, 2 do
    if not known[ARGV[at]] then return nil, 'GUARD unreserved ' .. ARGV[at] end
  end
  return finals
end

local function settle_member(hold, c, charge, final)
  need('members')
  local held, id_, position, stamp, _, kind, member = M.let_go(c, charge), M.parts(charge)
  local by = id_ .. ':' .. position
  if held and final == '0' then
    M.member_back(c, member, stamp, by)
  elseif held then
    M.member_stays(c, member, stamp, by)
  elseif final ~= '0' and not (kind == 'S' and hold.state == OPEN) then
    M.join(c, member, nil)
  end
end

-- Turn the estimate into `final` units. What exceeds it is charged now, and so is the whole of it if it had
-- been given back by then: the call did run.
local function settle(hold, c, charge, final)
  local _, _, stamp, units, kind = M.parts(charge)
  if kind == 'G' or kind == 'S' then return settle_member(hold, c, charge, final) end
  local held = M.let_go(c, charge)
  local there = held or (kind == 's' and hold.state == OPEN)
  local eh, el = amount(units)
  local fh, fl = amount(final or units)
  if held then c.rh, c.rl = minus(c.rh, c.rl, eh, el) end
  if not there then
    M.put(c, fh, fl)
  elseif above(eh, el, fh, fl) then
    M.take_back(c, stamp, minus(eh, el, fh, fl))
  else
    M.put(c, minus(fh, fl, eh, el))
  end
end

local function commit(hold)
  if hold.state == COMMITTED then return 0 end
  local finals, problem = finals_of(hold)
  if not finals then return {err = problem} end
  local found, list = M.counters_of(hold)
  if not found then return {err = 'GUARD clock'} end
  for index, c in ipairs(found) do
    local _, _, _, charge = M.charge_at(hold, index)
    settle(hold, c, charge, finals[index])
  end
  M.flush(list, id)
  report(hold, 'success')
  hold.state, hold.settler, hold.answer, hold.charges, hold.gates = COMMITTED, settler, 1, {}, {}
  M.save_hold(hold)
  -- Without a request nobody asks for it any more but a repeated commit.
  if not hold.request then call('PEXPIRE', prefix .. 'h:' .. id, REPEATS) end
  return 1
end

local function release(hold)
  if hold.state == COMMITTED then return 0 end
  local found, list = M.counters_of(hold)
  if not found then return {err = 'GUARD clock'} end
  report(hold, ARGV[5] == 'failed' and 'failure' or 'none')
  hold.answer = M.give_back(hold, found) and 1 or 0
  hold.settler = settler
  M.flush(list, id)
  M.save_hold(hold)
  return hold.answer
end

need('holds')
local hold = M.hold_of(id)
if not hold then return 0 end
if hold.settler == settler then return hold.answer end
need('counters') need('charges')
if operation == 'commit' then return commit(hold) end
return release(hold)
