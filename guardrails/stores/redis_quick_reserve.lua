-- Reserve, the plain case: amounts of up to 15 digits on counters that exist and have room, in the slot of the
-- present or a new one. Whatever else comes up is left to reserve.lua, which does the same in general; nothing
-- is written before it is clear that this will do. It needs nothing of what is defined later and makes few
-- tables and strings, because to make them would take longer than all the rest.
--
-- Takes the gates that were passed, as they are kept. The terms are those of reserve.lua, the head is that of
-- counters.lua, the reservation that of holds.lua.

local function quick(passed)
  local call, pack, unpacked, format = redis.call, struct.pack, struct.unpack, string.format
  local id, ttl, demands, now = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[1])
  if demands == 0 then return nil end
  local names, written, fills, made, latest, kind = {}, {}, {}, {}, 0, ttl and 'g' or 's'
  local refilled, shelved = false, false
  if not now then
    local time = call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  for index = 1, demands do
    local name = ARGV[4 * index + 1]
    for earlier = 1, index - 1 do
      if names[earlier] == name then return nil end
    end
    names[index] = name
  end
  local heads = call('HMGET', KEYS[2], unpack(names))
  for index = 1, demands do
    local at, head = 4 * index + 2, heads[index]
    local digits, most, spec = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if not head or digits == '0' or #digits > 15 or #most > 15 then return nil end
    local high, till, leave, lapse, closed, spilled, unit, th, tl, rh, rl, stamp, ends, sh, sl, fronts, backs, birth =
      unpacked(HEAD, head)
    local units, width, to = tonumber(digits), tonumber(spec), HEAD_SIZE + fronts + backs
    if now > high then high = now end
    local last = high + (ttl or KEEP)
    if unit + th + rh + sh > 0 or high >= lapse or #head - to >= FEW_HELD * HELD_SIZE then return nil end
    local queue, slot = to > HEAD_SIZE and head:sub(HEAD_SIZE + 1, to) or '', ''
    if width then
      local slots = KEYS[1] .. 's:' .. names[index]
      if high >= leave then
        local front, back, start = queue:sub(1, fronts), queue:sub(fronts + 1), 1
        repeat
          if start > #front then
            start = 1
            if closed == 0 then
              front, back = back, ''
            else
              -- Not twice in one call: the first of the two would have to go first.
              refilled = refilled or {}
              if refilled[#refilled] == slots then return nil end
              front, closed, refilled[#refilled + 1] = call('ZRANGE', slots, 0, 0)[1] or '', closed - 1, slots
            end
            if front == '' then return nil end
          end
          local leaving, hi, lo = unpacked(SLOT, front, start)
          leave = leaving + width
          if high >= leave then start, tl, th = start + SLOT_SIZE, tl - lo, th + hi end
        until high < leave
        queue, fronts, backs = front:sub(start) .. back, #front - start + 1, #back
      end
      if high > stamp then
        if sl > 0 then
          slot, backs = pack(SLOT, stamp, 0, sl), backs + SLOT_SIZE
          if backs == FEW_SLOTS * SLOT_SIZE then
            if closed == 0 then return nil end
            shelved = shelved or {}
            shelved[#shelved + 1], shelved[#shelved + 2] = slots, queue:sub(fronts + 1) .. slot
            queue, slot, backs, closed = queue:sub(1, fronts), '', 0, closed + 1
          end
        end
        stamp, ends, sl = high, high + width, 0
      end
    elseif ends == 0 or high >= leave or high > ((spec == '' or spec:find(' ', 1, true)) and ends - 1 or stamp) then
      return nil
    end
    tl, sl, rl = tl + units, sl + units, rl + units
    if th > 0 or tl > tonumber(most) or rl >= 1e15 then return nil end
    if last + KEEP / 2 > till or ends + KEEP / 2 > till then return nil end
    if ends < leave then leave = ends end
    if last < lapse then lapse = last end
    if high > latest then latest = high end
    local place = 4 * index - 3
    fills[index] = tl
    made[place], made[place + 1], made[place + 2] = names[index], spec, birth
    made[place + 3] = format('%s:%d:%.0f:%s:%s', id, index, stamp, digits, kind)
    written[2 * index - 1] = names[index]
    written[2 * index] = pack(HEAD, high, till, leave, lapse, closed, spilled, 0, 0, tl, 0, rl, stamp, ends, 0, sl,
      fronts, backs, birth) .. queue .. slot .. head:sub(to + 1) .. pack(HELD, id, index, last, stamp, 0, units, kind)
  end
  for _, slots in ipairs(refilled or {}) do call('ZREMRANGEBYRANK', slots, 0, 0) end
  for at = 1, shelved and #shelved or 0, 2 do
    call('ZADD', shelved[at], (unpacked('<d', shelved[at + 1])), shelved[at + 1])
  end
  call('HSET', KEYS[2], unpack(written))
  local deadline = latest + (ttl or 0)
  call('SET', KEYS[1] .. 'h:' .. id, cmsgpack.pack({deadline, not ttl, 0, false, '', 0, false, false, fills, passed,
    made}), 'PX', math.ceil((deadline + KEEP - now) / 1000))
  return fills
end

if #ARGV == 4 + 4 * tonumber(ARGV[4]) then
  local fills = quick({})
  if fills then return fills end
end
