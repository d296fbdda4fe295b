-- Commit, the plain case: the estimate was right, no gate waits for the outcome, and all charges are held in
-- the heads of their counters. Whatever else comes up is left to the rest of the script, which does the same in
-- general; nothing is written before it is clear that this will do.
--
-- The terms are those of settle.lua, the head is that of counters.lua, the reservation that of holds.lua. What
-- is due to leave or to run out by now is left to whoever looks at the counter next.

do
  local call, pack, unpacked = redis.call, struct.pack, struct.unpack
  local id, raw = ARGV[3], nil
  if ARGV[2] == 'commit' and #ARGV == 4 then raw = call('GET', KEYS[1] .. 'h:' .. id) end
  local h = raw and cmsgpack.unpack(raw)
  -- Open, without a request, gates or members.
  local plain = h and h[3] == 0 and not h[7] and not h[10][1] and h[11][1]
  local now, heads, names, written = tonumber(ARGV[1]), nil, {}, {}
  if plain then
    if not now then
      local time = call('TIME')
      now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    end
    plain = h[1] + KEEP > now
    for at = 1, #h[11], 4 do
      for earlier = 1, #names do plain = plain and names[earlier] ~= h[11][at] end
      names[#names + 1] = h[11][at]
    end
    heads = call('HMGET', KEYS[1] .. 'c', unpack(names))
  end
  for index = 1, plain and #names or 0 do
    local head = heads[index]
    if not head then plain = false break end
    local high, till, leave, lapse, closed, spilled, unit, th, tl, rh, rl, stamp, ends, sh, sl, fronts, backs, birth =
      unpacked(HEAD, head)
    if now > high then high = now end
    local held = HEAD_SIZE + fronts + backs + 1
    local at = head:find(id .. pack('<H', index), held, true)
    plain = at and (at - held) % HELD_SIZE == 0 and birth == h[11][4 * index - 1] and high + KEEP / 2 <= till
    if not plain then break end
    local _, _, last, _, uh, ul = unpacked(HELD, head, at)
    plain = last > high and uh + rh == 0
    if not plain then break end
    if #head == held + HELD_SIZE - 1 and spilled == 0 then lapse = math.huge end
    written[2 * index - 1] = names[index]
    written[2 * index] = pack(HEAD, high, till, leave, lapse, closed, spilled, unit, th, tl, 0, rl - ul, stamp, ends,
      sh, sl, fronts, backs, birth) .. head:sub(HEAD_SIZE + 1, at - 1) .. head:sub(at + HELD_SIZE)
  end
  if plain then
    call('HSET', KEYS[1] .. 'c', unpack(written))
    call('SET', KEYS[1] .. 'h:' .. id, cmsgpack.pack({h[1], h[2], 2, true, ARGV[4], 1, false, false, {}, {}, {}}),
      'PX', REPEATS)
    return 1
  end
end
