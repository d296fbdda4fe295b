-- Reserve, the plain case: amounts of up to 15 digits on counters that exist and have room, in the slot of the
-- present or a new one. Whatever else comes up is left to the rest of the script, which does the same in
-- general; nothing is written before it is clear that this will do. It defines no function and makes few
-- tables, because to make them would take longer than all the rest.
--
-- The terms are those of reserve.lua, the head is that of counters.lua, the reservation that of holds.lua.

do
  local call, pack, unpacked, format = redis.call, struct.pack, struct.unpack, string.format
  local id, ttl, demands = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
  local plain, now = demands > 0 and #ARGV == 4 + 4 * demands, tonumber(ARGV[1])
  local names, written, fills, made, latest, heads, kind = {}, {}, {}, {}, 0, nil, ttl and 'g' or 's'
  local refills, shelved = {}, {}
  if plain then
    if not now then
      local time = call('TIME')
      now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    end
    for index = 1, demands do
      local name = ARGV[4 * index + 1]
      for earlier = 1, index - 1 do plain = plain and names[earlier] ~= name end
      names[index] = name
    end
    heads = call('HMGET', KEYS[1] .. 'c', unpack(names))
  end
  for index = 1, plain and demands or 0 do
    local at, head = 4 * index + 2, heads[index]
    local digits, most, spec = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    plain = head and digits ~= '0' and #digits < 16 and #most < 16
    if not plain then break end
    local high, till, leave, lapse, closed, spilled, unit, th, tl, rh, rl, stamp, ends, sh, sl, fronts, backs, birth =
      unpacked(HEAD, head)
    local units, width, from, to = tonumber(digits), tonumber(spec), HEAD_SIZE + fronts, HEAD_SIZE + fronts + backs
    if now > high then high = now end
    local last = high + (ttl or KEEP)
    plain = unit + th + rh + sh == 0 and high < lapse and #head - to < FEW_HELD * HELD_SIZE and rl + units < 1e15
    if not plain then break end
    local queue = ''
    if width then
      local slots, start = KEYS[1] .. 's:' .. names[index], 1
      local front, back = head:sub(HEAD_SIZE + 1, from), head:sub(from + 1, to)
      while plain and high >= leave do
        if start > #front then
          if closed > 0 then
            -- Twice in one call is not plain: what is first would have to go first.
            plain = #refills == 0 or refills[#refills] ~= slots
            front, closed, refills[#refills + 1] = call('ZRANGE', slots, 0, 0)[1] or '', closed - 1, slots
          else
            front, back = back, ''
          end
          start = 1
          if front == '' then plain = false end
        end
        if plain then
          local leaving, hi, lo = unpacked(SLOT, front, start)
          leave = leaving + width
          if leaving > high - width then break end
          start, tl, th = start + SLOT_SIZE, tl - lo, th + hi
        end
      end
      if high > stamp then
        if sl > 0 then back = back .. pack(SLOT, stamp, 0, sl) end
        if #back == FEW_SLOTS * SLOT_SIZE then
          plain, shelved[#shelved + 1], shelved[#shelved + 2] = plain and closed > 0, slots, back
          back, closed = '', closed + 1
        end
        stamp, ends, sl = high, high + width, 0
      end
      plain = plain and th == 0
      queue, fronts, backs = front:sub(start) .. back, #front - start + 1, #back
      if ends < leave then leave = ends end
    else
      local upto = (spec == '' or spec:find(' ', 1, true)) and ends - 1 or stamp
      plain = ends > 0 and high <= upto and high < leave
      if to > HEAD_SIZE then queue = head:sub(HEAD_SIZE + 1, to) end
      if ends < leave then leave = ends end
    end
    tl, sl, rl = tl + units, sl + units, rl + units
    plain = plain and tl <= tonumber(most) and tl < 1e15 and last + KEEP / 2 <= till
      and (ends + KEEP / 2 <= till)
    if not plain then break end
    if last < lapse then lapse = last end
    if high > latest then latest = high end
    local name, place = names[index], 4 * index - 3
    fills[index] = tl
    made[place], made[place + 1], made[place + 2] = name, spec, birth
    made[place + 3] = format('%s:%d:%.0f:%s:%s', id, index, stamp, digits, kind)
    written[2 * index - 1] = name
    written[2 * index] = pack(HEAD, high, till, leave, lapse, closed, spilled, 0, 0, tl, 0, rl, stamp, ends, 0, sl,
      fronts, backs, birth) .. queue .. head:sub(to + 1) .. pack(HELD, id, index, last, stamp, 0, units, kind)
  end
  if plain then
    for _, slots in ipairs(refills) do call('ZREMRANGEBYRANK', slots, 0, 0) end
    for at = 1, #shelved, 2 do call('ZADD', shelved[at], (unpacked('<d', shelved[at + 1])), shelved[at + 1]) end
    call('HSET', KEYS[1] .. 'c', unpack(written))
    call('SET', KEYS[1] .. 'h:' .. id, cmsgpack.pack({latest + (ttl or 0), not ttl, 0, false, '', 0, false, false,
      fills, {}, made}), 'PX', math.ceil((latest + (ttl or 0) + KEEP - now) / 1000))
    return fills
  end
end
