-- Reserve: charge all demands, pass all gates and write the note; or do nothing and say what is in the way.
--
-- ARGV: time or nothing, id, ttl or nothing, number of demands; per demand name, units, ceiling, window; then
-- triples of what few calls have: (`member` or `left` or `was`, index, text), (`gate`, key, gate),
-- (`note`, session, text), (`noted`, keep, after or nothing), (`request`, text, signature), (`again`, , ).

local id, ttl, demands = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local kind = ttl and 'g' or 's'
local options, asked_gates, note, request, signature, again = nil, {}, nil, false, false, false
local passed, special = {}, false

local function read_options()
  options = {}
  for at = 5 + 4 * demands, #ARGV, 3 do
    local name, first, second = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if name == 'gate' then
      need('gates')
      asked_gates[#asked_gates + 1] = M.gate_of(first, second)
      passed[#passed + 1], passed[#passed + 2] = first, second
    elseif name == 'note' then
      note = {session = first, text = second}
    elseif name == 'noted' then
      note.keep, note.after = tonumber(first), tonumber(second)
    elseif name == 'request' then
      request, signature, special = first, second, true
    elseif name == 'again' then
      again, special = true, true
    else
      special = true
      local index = tonumber(first)
      options[index] = options[index] or {}
      options[index][name] = second
    end
  end
end

local function earlier()
  if not (again or request) then return nil end
  need('counters')
  need('holds') need('charges') need('rare')
  local answer = again and M.answered(id, signature)
  if answer or not request then return answer end
  local by = call('GET', prefix .. 'r:' .. request)
  return by and M.answered(by, signature)
end

local function in_the_way(log, breakers)
  if note and note.after and note.after ~= log.last then return {'moved', log.last} end
  for index, gate in ipairs(asked_gates) do
    breakers[index] = M.breaker_of(gate.key)
    local wait = M.shut(breakers[index], gate)
    if wait then return {'shut', index - 1, wait} end
  end
end

local function first_look(name, spec, head, option)
  if not head and option and option.was then
    need('rare') need('charges')
    -- An earlier demand of this call may have been the first to use the new name.
    head = call('HGET', prefix .. 'c', name)
    local c = not head and M.renamed(name, spec, option.was)
    if c then return c end
  end
  return M.opened(name, spec, head)
end

-- The demand at `index` does not fit: `ah, al` is what this call asks for on its counter, `th, tl` what that
-- and the rest would be, `ch, cl` what there may be.
local function refuse(index, c, seen, fills, ah, al, th, tl, ch, cl)
  need('rare')
  local wait = -1
  if c.asked then ah, al = M.asked_members(c) end
  if not above(ah, al, ch, cl) then wait = M.wait_for(c, minus(th, tl, ch, cl)) end
  M.flush(seen, id)
  fills[index] = text(plus(c.th, c.tl, c.ah, c.al))
  return {'refused', index - 1, format('%.0f', wait), unpack(fills)}
end

-- Look at all demands in turn; the totals that they would make, or nothing and the answer.
local function judged(by_name, seen)
  local names, fills = {}, {}
  for index = 1, demands do names[index] = ARGV[4 * index + 1] end
  local heads = demands > 0 and call('HMGET', prefix .. 'c', unpack(names))
  for index = 1, demands do
    local at, name, option = 4 * index + 1, names[index], options and options[index]
    local c = by_name[name]
    if not c then
      c = first_look(name, ARGV[at + 3], heads[index], option)
      if not c.horizon then
        M.flush(seen, id)
        return nil, {err = 'GUARD clock'}
      end
      by_name[name], seen[#seen + 1] = c, c
      if c.high >= c.leave or c.high >= c.lapse then M.advance(c) end
    end
    local ah, al = amount(ARGV[at + 1])
    local ch, cl = amount(ARGV[at + 2])
    local left = option and option.left and 1 or 0
    if option and option.member then
      need('members') need('rare')
      ah, al = M.missing(c, option.member, ah, al)
    end
    ah, al = plus(c.ah, c.al, ah, al)
    local th, tl = plus(c.th, c.tl, ah, al)
    if above(th, tl + left, ch, cl) then
      return nil, refuse(index, c, seen, fills, ah, al + left, th, tl + left, ch, cl)
    end
    c.ah, c.al = ah, al
    fills[index] = th == 0 and tl or text(th, tl)
  end
  return fills
end

-- Make the charge of the demand at `index`; what it is held as.
local function charge(index, c, member)
  local units = ARGV[4 * index + 2]
  local uh, ul = amount(units)
  local last, stamp = c.high + (ttl or KEEP), nil
  if member then
    stamp = M.join(c, member, id .. ':' .. index)
    return M.hold(c, id, index, stamp, units, kind:upper() .. member, last)
  end
  stamp = M.put(c, uh, ul)
  c.rh, c.rl = plus(c.rh, c.rl, uh, ul)
  return M.hold(c, id, index, stamp, units, kind, last)
end

local function keep(latest, made, fills)
  local gone = ceil((latest + KEEP - now) / 1000)
  call('SET', prefix .. 'h:' .. id, cmsgpack.pack({latest, not ttl, OPEN, false, '', 0, request, signature,
    fills, passed, made}), 'PX', gone)
  if request then call('SET', prefix .. 'r:' .. request, id, 'PX', gone) end
end

local function grant(by_name, seen, fills)
  local made, latest = {}, now
  for index = 1, demands do
    local name, option, at = ARGV[4 * index + 1], options and options[index], 4 * index - 3
    local c = by_name[name]
    made[at], made[at + 1], made[at + 2] = name, ARGV[4 * index + 4], c.birth or id
    made[at + 3] = charge(index, c, option and option.member)
    if c.high > latest then latest = c.high end
  end
  M.flush(seen, id)
  keep(latest + (ttl or 0), made, fills)
  return fills
end

local function reserve()
  if #ARGV > 4 + 4 * demands then read_options() end
  local answer = earlier()
  if answer then return answer end
  local log, breakers, by_name, seen = nil, {}, {}, {}
  if note then
    need('logs')
    log = M.log_of(note.session)
  end
  answer = in_the_way(log, breakers)
  if answer then return answer end
  -- Without company the plain case has been tried already.
  local fills = not special and (note or passed[1]) and quick(passed)
  local done = fills
  if not fills then
    need('counters')
    fills, answer = judged(by_name, seen)
    if not fills then return answer end
  end
  for index, gate in ipairs(asked_gates) do M.let_through(breakers[index], gate, id, ttl) end
  if note then M.write(log, note.text, note.keep, id) end
  return done or grant(by_name, seen, fills)
end

return reserve()
