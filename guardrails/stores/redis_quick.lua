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
      local start, horizon = HEAD_SIZE + 1, high - width
      while high >= leave and start <= from do
        local leaving, hi, lo = unpacked(SLOT, head, start)
        leave = leaving + width
        if leaving > horizon then break end
        start, tl, th = start + SLOT_SIZE, tl - lo, th + hi
      end
      plain = high < leave and th == 0 and start <= from + (fronts == 0 and 1 or 0)
      fronts, queue = from - start + 1, head:sub(start, to)
      if high > stamp and sl > 0 then
        queue, backs = queue .. pack(SLOT, stamp, 0, sl), backs + SLOT_SIZE
        plain = plain and backs < FEW_SLOTS * SLOT_SIZE
      end
      if high > stamp then stamp, ends, sl = high, high + width, 0 end
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
    call('HSET', KEYS[1] .. 'c', unpack(written))
    call('SET', KEYS[1] .. 'h:' .. id, cmsgpack.pack({latest + (ttl or 0), not ttl, 0, false, '', 0, false, false,
      fills, {}, made}), 'PX', math.ceil((latest + (ttl or 0) + KEEP - now) / 1000))
    return fills
  end
end
