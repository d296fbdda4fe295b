-- Reservations: what a grant holds, until it is settled or nobody can ask for it any more.
--
-- h:ID    packed: deadline, whether it stays, state, whether its gates know the outcome, who settled it and
--         what was answered, request, signature, fills, gates as (key, gate), charges as
--         (counter, window, birth, charge)
-- r:TEXT  the reservation that answers a request

local RELEASED = 1

function M.hold_of(id)
  local raw = call('GET', prefix .. 'h:' .. id)
  if not raw then return nil end
  local h = cmsgpack.unpack(raw)
  local hold = {id = id, deadline = h[1], stays = h[2], state = h[3], reported = h[4], settler = h[5], answer = h[6],
    request = h[7], signature = h[8], fills = h[9], gates = h[10], charges = h[11]}
  if hold.deadline + KEEP > now then return hold end
end

function M.save_hold(hold)
  local key = prefix .. 'h:' .. hold.id
  local packed = cmsgpack.pack({hold.deadline, hold.stays, hold.state, hold.reported, hold.settler, hold.answer,
    hold.request, hold.signature, hold.fills, hold.gates, hold.charges})
  call('SET', key, packed, 'KEEPTTL')
end

function M.charge_at(hold, index)
  local at, charges = 4 * index - 3, hold.charges
  return charges[at], charges[at + 1], charges[at + 2], charges[at + 3]
end

-- The counter that was made as `birth` and named `name`, wherever it is now.
function M.found(name, spec, birth, head)
  local c = M.opened(name, spec, head)
  if c.birth == birth then return c end
  local alias = call('GET', prefix .. 'a:' .. birth)
  return alias and M.opened(alias, spec, call('HGET', prefix .. 'c', alias)) or c
end

-- All counters of a reservation at their time, per charge, and each once; nil if the client did not say enough
-- about a calendar.
function M.counters_of(hold)
  local names, by_name, counters, list = {}, {}, {}, {}
  for index = 1, #hold.charges / 4 do names[index] = hold.charges[4 * index - 3] end
  local heads = names[1] and call('HMGET', prefix .. 'c', unpack(names))
  for index, name in ipairs(names) do
    local _, spec, birth = M.charge_at(hold, index)
    local c = M.found(name, spec, birth, heads[index])
    if not c.horizon then return nil end
    if not by_name[c.name] then by_name[c.name], list[#list + 1] = c, c end
    counters[index] = by_name[c.name]
  end
  for _, c in ipairs(list) do M.advance(c) end
  return counters, list
end

-- Give every charge back that is held; whether there was one.
function M.give_back(hold, counters)
  local any = false
  for index, c in ipairs(counters) do
    local _, _, _, charge = M.charge_at(hold, index)
    if M.let_go(c, charge) then
      local id, position, stamp, units, kind, member = M.parts(charge)
      if kind == 'G' or kind == 'S' then
        need('members')
        M.member_back(c, member, stamp, id .. ':' .. position)
      else
        local uh, ul = amount(units)
        c.rh, c.rl = minus(c.rh, c.rl, uh, ul)
        M.take_back(c, stamp, uh, ul)
      end
      any = true
    end
  end
  hold.state = RELEASED
  return any
end
