-- Reserve: charge all demands, pass all gates and write the note; or do nothing and say what is in the way.
--
-- ARGV: time or nothing, id, ttl or nothing, number of demands; per demand name, units, ceiling, window; then
-- triples of what few calls have: (`member` or `left` or `was`, index, text), (`gate`, key, gate),
-- (`note`, session, text), (`noted`, keep, after or nothing), (`request`, text, signature), (`again`, '', '').

local id, ttl, demands = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lasts_for, kind = ttl or KEEP, ttl and 'g' or 's'
local options, gates, note, request, signature, again, clock = nil, {}, nil, false, false, false, {err = 'GUARD clock'}

local function read_options()
  options = {}
  for at = 5 + 4 * demands, #ARGV, 3 do
    local name, first, second = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if name == 'gate' then
      gates[#gates + 1] = gate_of(first, second)
    elseif name == 'note' then
      note = {session = first, text = second}
    elseif name == 'noted' then
      note.keep, note.after = tonumber(first), tonumber(second)
    elseif name == 'request' then
      request, signature = first, second
    elseif name == 'again' then
      again = true
    else
      local index = tonumber(first)
      options[index] = options[index] or {}
      options[index][name] = second
    end
  end
end

-- The answer that a request, or a call that the network repeated, has had already.
local function answered(of)
  local hold = hold_of(of)
  if not hold then return nil end
  if signature and hold.signature ~= signature then return {'reused'} end
  if hold.state == RELEASED then return nil end
  local standing = hold.state == COMMITTED
  if not standing then
    local counters, by_name = counters_of(hold)
    if not counters then return clock end
    standing = #counters > 0 or hold.stays or now < hold.deadline
    for index, c in ipairs(counters) do
      local _, _, _, charge = charge_at(hold, index)
      standing = standing and still_held(c, charge)
    end
    if not standing then
      give_back(hold, counters)
      save_hold(hold)
    end
    flush_all(by_name, of)
  end
  return standing and {'granted', of, unpack(hold.fills)} or nil
end

local function in_the_way(log, breakers)
  if note then
    if note.after and note.after ~= log.last then return {'moved', log.last} end
  end
  for index, gate in ipairs(gates) do
    breakers[index] = breaker_of(gate.key)
    local wait = shut(breakers[index], gate)
    if wait then return {'shut', index - 1, wait} end
  end
end

-- The counter of a demand whose key was another before: renamed with all that is kept about it.
local function renamed(name, spec, was)
  local head = call('GET', prefix .. 'c:' .. was)
  if not head then return nil end
  for kinds in ('csdmko'):gmatch('.') do
    local old = prefix .. kinds .. ':' .. was
    if call('EXISTS', old) == 1 then call('RENAME', old, prefix .. kinds .. ':' .. name) end
  end
  local c = opened(name, spec, head)
  local last = call('ZRANGE', prefix .. 'd:' .. name, -1, -1, 'WITHSCORES')[2]
  local needed = max(c.high, tonumber(last or 0)) + KEEP - c.high
  call('SET', prefix .. 'a:' .. c.birth, name, 'PX', ceil(needed / 1000))
  call('ZREM', prefix .. 'names', was)
  c.extended = true
  return c
end

local function first_look(name, spec, was)
  local head = call('GET', prefix .. 'c:' .. name)
  return not head and was and renamed(name, spec, was) or opened(name, spec, head)
end

-- Microseconds until the demand fits if nothing else comes, where `excess` has to leave first.
local function wait_for(c, hi, lo, leaving)
  local stamp = c.horizon + 1
  for _, slot in ipairs(leaving) do
    stamp = slot[1]
    if not above(hi, lo, slot[2], slot[3]) then break end
    hi, lo = minus(hi, lo, slot[2], slot[3])
  end
  local last = end_of(c, stamp)
  return last == NEVER and -1 or last - c.high
end

local function slots_leaving(c)
  local leaving = {}
  for index, slot in ipairs(call('ZRANGE', prefix .. 's:' .. c.name, 0, LOOK_AHEAD - 1)) do
    local stamp, units = slot:match('^(%d+):(%d+)$')
    leaving[index] = {tonumber(stamp), amount(units)}
  end
  if #leaving < LOOK_AHEAD and (c.sh > 0 or c.sl > 0) then leaving[#leaving + 1] = {c.stamp, c.sh, c.sl} end
  return leaving
end

local function members_leaving(c)
  local leaving, place = {}, 0
  repeat
    local members = call('ZRANGE', prefix .. 'o:' .. c.name, place, place + BATCH - 1, 'WITHSCORES')
    for at = 1, #members, 2 do
      if not c.asked[members[at]] and #leaving < LOOK_AHEAD then
        leaving[#leaving + 1] = {tonumber(members[at + 1]), unit_of(c)}
      end
    end
    place = place + BATCH
  until #members < 2 * BATCH or #leaving == LOOK_AHEAD
  return leaving
end

-- `ahead` is what this call asks for on the counter so far, `total` what that and the rest would be.
local function refuse(index, c, ahead, total, ceiling, fills, seen)
  local wait = -1
  if not above(ahead[1], ahead[2], ceiling[1], ceiling[2]) then
    local hi, lo = minus(total[1], total[2], ceiling[1], ceiling[2])
    wait = wait_for(c, hi, lo, c.asked and members_leaving(c) or slots_leaving(c))
  end
  for _, other in ipairs(seen) do flush(other, id) end
  fills[index] = text(plus(c.th, c.tl, c.ah, c.al))
  return {'refused', index - 1, format('%.0f', wait), unpack(fills)}
end

local function asked_members(c)
  local hi, lo, uh, ul = 0, 0, unit_of(c)
  for _ in pairs(c.asked) do hi, lo = plus(hi, lo, uh, ul) end
  return {hi, lo}
end

-- What a demand for a member would add to what this call asks for: nothing for one that counts already.
local function missing(c, member, uh, ul)
  c.unit, c.asked = uh * BASE + ul, c.asked or {}
  if c.asked[member] or call('ZSCORE', prefix .. 'o:' .. c.name, member) then uh, ul = 0, 0 end
  c.asked[member] = true
  return uh, ul
end

local function charge(index, c, option)
  local units = ARGV[4 * index + 2]
  local uh, ul = amount(units)
  local by, stamp = id .. ':' .. index, nil
  local tail = kind
  if option and option.member then
    stamp, tail = join(c, option.member, by), kind:upper() .. option.member
  else
    stamp = put(c, uh, ul)
    c.rh, c.rl = plus(c.rh, c.rl, uh, ul)
  end
  local held, last = by .. format(':%.0f:', stamp) .. units .. ':' .. tail, c.high + lasts_for
  c.new_held = c.new_held or c.lapse == NEVER
  call('ZADD', prefix .. 'd:' .. c.name, last, held)
  c.lapse = min(c.lapse, last)
  stays(c, last)
  return held
end

local function keep(latest, charges, fills)
  local gone = format('%.0f', ceil((latest + KEEP - now) / 1000))
  local named = {}
  for _, gate in ipairs(gates) do named[#named + 1], named[#named + 2] = gate.key, gate.spec end
  call('SET', prefix .. 'h:' .. id, cmsgpack.pack({latest, not ttl, OPEN, false, '', 0, request, signature,
    fills, named, charges}), 'PX', gone)
  if request then call('SET', prefix .. 'r:' .. request, id, 'PX', gone) end
end

local function reserve()
  if #ARGV > 4 + 4 * demands then read_options() end
  local earlier = again and answered(id)
  if not earlier and request then
    local by = call('GET', prefix .. 'r:' .. request)
    earlier = by and answered(by)
  end
  if earlier then return earlier end
  local log, breakers = note and log_of(note.session), {}
  local stopped = (note or gates[1]) and in_the_way(log, breakers)
  if stopped then return stopped end
  local counters, seen, fills = {}, {}, {}
  for index = 1, demands do
    local at, option = 4 * index + 1, options and options[index]
    local name = ARGV[at]
    local c = counters[name]
    if not c then
      c = first_look(name, ARGV[at + 3], option and option.was)
      if not c.horizon then
        for _, other in ipairs(seen) do flush(other, id) end
        return clock
      end
      counters[name], seen[#seen + 1] = c, c
      if c.high >= c.leave or c.high >= c.lapse then advance(c) end
    end
    local uh, ul = amount(ARGV[at + 1])
    local ch, cl = amount(ARGV[at + 2])
    local ph, pl, member = uh, ul, option and option.member
    if member then ph, pl = missing(c, member, uh, ul) end
    local ah, al = plus(c.ah, c.al, ph, pl)
    local th, tl = plus(c.th, c.tl, ah, al)
    local left = option and option.left and 1 or 0
    if above(th, tl + left, ch, cl) then
      local ahead = member and asked_members(c) or {ah, al + left}
      return refuse(index, c, ahead, {th, tl + left}, {ch, cl}, fills, seen)
    end
    c.ah, c.al = ah, al
    fills[index] = th == 0 and tl or text(th, tl)
  end
  return fills, counters, seen, log, breakers
end

local function grant(fills, counters, seen, log, breakers)
  local charges, latest = {}, now
  for index = 1, demands do
    local name = ARGV[4 * index + 1]
    local c, at = counters[name], 4 * index - 3
    charges[at], charges[at + 1], charges[at + 2] = name, ARGV[4 * index + 4], c.birth or id
    charges[at + 3] = charge(index, c, options and options[index])
    if c.high > latest then latest = c.high end
  end
  for _, c in ipairs(seen) do flush(c, id) end
  for index, gate in ipairs(gates) do let_through(breakers[index], gate, id, ttl) end
  if note then write(log, note.text, note.keep, id) end
  keep(latest + (ttl or 0), charges, fills)
  return fills
end

local fills, counters, seen, log, breakers = reserve()
if not counters then return fills end
return grant(fills, counters, seen, log, breakers)
