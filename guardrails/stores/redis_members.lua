-- Distinct members of a counter: who counts, and until when. Second part of the scripts that charge.
--
-- A member counts by the latest of its stamps that was not given back: the latest that stays (m) or one that
-- is held (k). To find that one, held stamps lie in lexical order behind their member's name.
--
-- m:NAME  hash: the latest stamp that stays, by member
-- k:NAME  sorted set of `length:member|stamp|reservation:position`
-- o:NAME  sorted set of the members that count, by the stamp they count by

local function key_of(kind, c) return prefix .. kind .. ':' .. c.name end

local function unit_of(c) return math.floor(c.unit / BASE), c.unit % BASE end

local function held_name(member, stamp, by)
  return #member .. ':' .. member .. format('|%017.0f|', stamp) .. by
end

local function held_stamp(entry) return tonumber(entry:match('|(%d+)|[^|]*$')) end

-- When what is charged under `stamp` leaves.
local function end_of(c, stamp)
  if c.width then return stamp + c.width end
  local _, ends = slot_at(c)
  return ends
end

-- Count `member` from now on: held by a charge, or for good.
local function join(c, member, by)
  local stamp, ends = slot_at(c)
  if by then
    call('ZADD', key_of('k', c), 0, held_name(member, stamp, by))
  else
    call('HSET', key_of('m', c), member, format('%.0f', stamp))
  end
  if call('ZADD', key_of('o', c), stamp, member) == 1 then c.th, c.tl = plus(c.th, c.tl, unit_of(c)) end
  c.leave, c.new_members = min(c.leave, ends), true
  stays(c, ends)
  return stamp
end

local function gone(c, members)
  for _, member in ipairs(members) do
    c.th, c.tl = minus(c.th, c.tl, unit_of(c))
    call('HDEL', key_of('m', c), member)
    call('ZREM', key_of('o', c), member)
  end
end

-- Let `member` count by what it has left.
local function count_anew(c, member)
  local start = #member .. ':' .. member .. '|'
  local latest = call('ZREVRANGEBYLEX', key_of('k', c), '(' .. start .. '~', '[' .. start, 'LIMIT', 0, 1)[1]
  local stamp = max(latest and held_stamp(latest) or -1, tonumber(call('HGET', key_of('m', c), member) or -1))
  if not call('ZSCORE', key_of('o', c), member) then return end
  if stamp <= c.horizon then return gone(c, {member}) end
  call('ZADD', key_of('o', c), stamp, member)
  c.leave = min(c.leave, end_of(c, stamp))
end

local function member_back(c, member, stamp, by)
  if call('ZREM', key_of('k', c), held_name(member, stamp, by)) == 1 then count_anew(c, member) end
end

local function member_stays(c, member, stamp, by)
  if call('ZREM', key_of('k', c), held_name(member, stamp, by)) == 0 or stamp <= c.horizon then return end
  local settled = tonumber(call('HGET', key_of('m', c), member) or -1)
  call('HSET', key_of('m', c), member, format('%.0f', max(settled, stamp)))
  stays(c, end_of(c, stamp))
end

local function members_leave(c)
  local members
  repeat
    members = call('ZRANGEBYSCORE', key_of('o', c), '-inf', c.horizon, 'LIMIT', 0, BATCH)
    gone(c, members)
  until #members < BATCH
  local first = call('ZRANGE', key_of('o', c), 0, 0, 'WITHSCORES')[2]
  return first and end_of(c, tonumber(first)) or NEVER
end

-- Now that members are known: how a counter is brought up to its time.

local function slots_leave(c)
  local key, slots = key_of('s', c), nil
  while c.closed > 0 do
    slots = call('ZRANGEBYSCORE', key, '-inf', c.horizon, 'LIMIT', 0, BATCH)
    for _, slot in ipairs(slots) do c.th, c.tl = minus(c.th, c.tl, amount(slot:match(':(%d+)$'))) end
    if #slots > 0 then call('ZREMRANGEBYRANK', key, 0, #slots - 1) end
    c.closed = c.closed - #slots
    if #slots < BATCH then break end
  end
  if c.ends <= c.high then
    c.th, c.tl = minus(c.th, c.tl, c.sh, c.sl)
    c.stamp, c.ends, c.sh, c.sl = 0, 0, 0, 0
  end
  local first = c.closed > 0 and call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if first then return tonumber(first) + c.width end
  return (c.sh > 0 or c.sl > 0) and c.ends or NEVER
end

local function parts(charge)
  local id, index, stamp, units, kind, member = charge:match('^(%x+):(%d+):(%d+):(%d+):(.)(.*)$')
  return id .. ':' .. index, tonumber(stamp), units, kind, member
end

-- The time of a charge is over: it is given back, or stays for good (`s`, and `S` for a member; `g` and `G`
-- are given back).
local function run_out(c, charge)
  local by, stamp, units, kind, member = parts(charge)
  if kind == 'G' then return member_back(c, member, stamp, by) end
  if kind == 'S' then return member_stays(c, member, stamp, by) end
  local uh, ul = amount(units)
  c.rh, c.rl = minus(c.rh, c.rl, uh, ul)
  if kind == 'g' then take_back(c, stamp, uh, ul) end
end

local function charges_lapse(c)
  local key, late = key_of('d', c), nil
  repeat
    late = call('ZRANGEBYSCORE', key, '-inf', c.high, 'LIMIT', 0, BATCH)
    for _, charge in ipairs(late) do run_out(c, charge) end
    if #late > 0 then call('ZREMRANGEBYRANK', key, 0, #late - 1) end
  until #late < BATCH
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return first and tonumber(first) or NEVER
end

-- Move the counter to its time: what left the window or ran out does not count any more. To be flushed.
local function advance(c)
  if c.high >= c.leave then
    local leave = slots_leave(c)
    c.leave = c.unit > 0 and min(leave, members_leave(c)) or leave
  end
  if c.high >= c.lapse then c.lapse = charges_lapse(c) end
end
