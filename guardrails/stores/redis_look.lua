-- Everything that charges nothing: fills, levels, gauges, logs and halts.
--
-- ARGV: time or nothing, what is asked, and its terms in turn.

-- The latest stamp of a member that is held by a charge which is not in `late`.
local function held_beyond(c, member, late)
  local start, latest = #member .. ':' .. member .. '|', -1
  local held = call('ZRANGEBYLEX', prefix .. 'k:' .. c.name, '[' .. start, '(' .. start .. '~')
  for _, entry in ipairs(held) do
    if not late[entry] then latest = max(latest, M.held_stamp(entry)) end
  end
  return latest
end

-- How many members count, and how many of those nothing settled holds, as it will be when `charges` ran out.
local function members_seen(c, charges)
  local kept, lost, moved = {}, {}, {}
  for _, charge in ipairs(charges) do
    local id, position, stamp, _, kind, member = M.parts(charge)
    moved[member], lost[M.held_name(member, stamp, id .. ':' .. position)] = true, true
    if kind == 'S' then kept[member] = max(stamp, kept[member] or -1) end
  end
  local counted, unsettled, place = 0, 0, 0
  local range = c.horizon == -1 and '-inf' or format('(%.0f', c.horizon)
  repeat
    local members = call('ZRANGEBYSCORE', prefix .. 'o:' .. c.name, range, '+inf', 'LIMIT', place, BATCH)
    for _, member in ipairs(members) do
      local settled = tonumber(call('HGET', prefix .. 'm:' .. c.name, member) or -1)
      settled = max(settled, kept[member] or -1)
      if settled > c.horizon then
        counted = counted + 1
      elseif not moved[member] or held_beyond(c, member, lost) > c.horizon then
        counted, unsettled = counted + 1, unsettled + 1
      end
    end
    place = place + BATCH
  until #members < BATCH
  return counted, unsettled
end

local function times(number, hi, lo)
  local product_hi, product_lo = hi * number, lo * number
  return product_hi + math.floor(product_lo / BASE), product_lo % BASE
end

-- What is used and reserved, without moving the counter there.
local function seen(c)
  local late = M.late(c)
  if c.unit > 0 then
    need('members')
    local counted, unsettled = members_seen(c, late)
    local uh, ul = M.unit_of(c)
    return text(times(counted, uh, ul)) .. ' ' .. text(times(unsettled, uh, ul))
  end
  local chunks = c.closed > 0 and call('ZRANGEBYSCORE', prefix .. 's:' .. c.name, '-inf', c.horizon) or {}
  chunks[#chunks + 1], chunks[#chunks + 2] = c.front, c.back
  for _, slots in ipairs(chunks) do
    for at = 1, #slots, SLOT_SIZE do
      local stamp, hi, lo = unpacked(SLOT, slots, at)
      if stamp <= c.horizon then c.th, c.tl = minus(c.th, c.tl, hi, lo) end
    end
  end
  if c.ends <= c.high then c.th, c.tl = minus(c.th, c.tl, c.sh, c.sl) end
  for _, charge in ipairs(late) do
    local _, _, stamp, units, kind = M.parts(charge)
    local uh, ul = amount(units)
    c.rh, c.rl = minus(c.rh, c.rl, uh, ul)
    if kind == 'g' and stamp > c.horizon then c.th, c.tl = minus(c.th, c.tl, uh, ul) end
  end
  return text(c.th, c.tl) .. ' ' .. text(c.rh, c.rl)
end

-- Terms: name, window and earlier name of each counter.
local function fill()
  need('counters') need('charges')
  local answers = {}
  for at = 3, #ARGV, 3 do
    local name, spec, was = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local head = call('HGET', prefix .. 'c', name)
    if not head and was ~= '' then
      head, name = call('HGET', prefix .. 'c', was), was
    end
    local c = M.opened(name, spec, head)
    if not c.horizon then return {err = 'GUARD clock'} end
    answers[#answers + 1] = seen(c)
  end
  return answers
end

-- Terms: what names begin with. The client says the windows afterwards, because it knows the calendar.
local function names()
  local found, start = {}, ARGV[3]
  for _, name in ipairs(call('ZRANGE', prefix .. 'names', 0, -1)) do
    if name:sub(1, #start) == start then found[#found + 1] = name end
  end
  return found
end

-- Terms: key and gate of each breaker.
local function gauges()
  need('gates')
  local answers = {}
  for at = 3, #ARGV, 2 do
    local gate = M.gate_of(ARGV[at], ARGV[at + 1])
    local b = M.breaker_of(gate.key)
    local state, failures, outcomes, wait = 'closed', 0, 0, 0
    if now < M.kept_until(b, gate) then
      local moment = max(now, b.mark)
      failures, outcomes = b.run, b.run
      if gate.longest then
        local number, failed = M.before(b, moment - gate.longest)
        failures, outcomes = b.failures - failed, b.outcomes - number
      end
      wait = b.till >= 0 and b.till - moment or 0
      if b.till >= 0 then state = wait > 0 and 'open' or 'half open' end
    end
    answers[#answers + 1] = {state, failures, outcomes, max(wait, 0)}
  end
  return answers
end

-- Terms: session, text, keep, after or nothing, who writes, whether it may have been written already.
local function remember()
  need('logs')
  local log, after = M.log_of(ARGV[3]), tonumber(ARGV[6])
  if ARGV[8] == 'again' and log.writer == ARGV[7] then return log.last end
  if after and after ~= log.last then return {log.last} end
  if ARGV[8] == 'again' and not after and log.last > 0 then return {err = 'GUARD unsure'} end
  return M.write(log, ARGV[4], tonumber(ARGV[5]), ARGV[7])
end

local function recall()
  need('logs')
  local log, after = M.log_of(ARGV[3]), tonumber(ARGV[4])
  if log.last == 0 or after >= log.last then return {log.last, {}} end
  local wanted = min(log.last - after, call('LLEN', log.list))
  return {log.last, wanted > 0 and call('LRANGE', log.list, -wanted, -1) or {}}
end

local function forget()
  need('logs')
  local log = M.log_of(ARGV[3])
  call('DEL', log.key, log.list)
  return log.last > 0 and 1 or 0
end

-- Terms: scope, who, why, and until when or nothing.
local function halt()
  call('HSET', prefix .. 'halts', ARGV[3], cmsgpack.pack({ARGV[4], ARGV[5], format('%.0f', now), ARGV[6]}))
  return 1
end

local function resume() return call('HDEL', prefix .. 'halts', ARGV[3]) end

local function halts()
  local found, entries = {}, call('HGETALL', prefix .. 'halts')
  for at = 1, #entries, 2 do
    local who, why, since, till = unpack(cmsgpack.unpack(entries[at + 1]))
    if till == '' or tonumber(till) > now then found[#found + 1] = {entries[at], who, why, since, till} end
  end
  return found
end

local operations = {fill = fill, names = names, gauges = gauges, remember = remember, recall = recall,
  forget = forget, halt = halt, resume = resume, halts = halts}
return operations[ARGV[2]]()
