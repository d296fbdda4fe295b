-- Distinct members of a counter: who counts, and until when.
--
-- A member counts by the latest of its stamps that was not given back: the latest that stays (m) or one that
-- is held (k). To find that one, held stamps lie in lexical order behind their member's name.
--
-- m:NAME  hash: the latest stamp that stays, by member
-- k:NAME  sorted set of `length:member|stamp|reservation:position`
-- o:NAME  sorted set of the members that count, by the stamp they count by

local function key_of(kind, c) return prefix .. kind .. ':' .. c.name end

function M.unit_of(c) return math.floor(c.unit / BASE), c.unit % BASE end

function M.held_name(member, stamp, by)
  return #member .. ':' .. member .. format('|%017.0f|', stamp) .. by
end

function M.held_stamp(entry) return tonumber(entry:match('|(%d+)|[^|]*$')) end

-- Count `member` from now on: held by a charge, or for good.
function M.join(c, member, by)
  local stamp, ends = M.slot_at(c)
  if by then
    call('ZADD', key_of('k', c), 0, M.held_name(member, stamp, by))
  else
    call('HSET', key_of('m', c), member, format('%.0f', stamp))
  end
  if call('ZADD', key_of('o', c), stamp, member) == 1 then c.th, c.tl = plus(c.th, c.tl, M.unit_of(c)) end
  c.leave, c.fresh = min(c.leave, ends), c.fresh .. 'mko'
  M.stays(c, ends)
  return stamp
end

function M.gone(c, members)
  for _, member in ipairs(members) do
    c.th, c.tl = minus(c.th, c.tl, M.unit_of(c))
    call('HDEL', key_of('m', c), member)
    call('ZREM', key_of('o', c), member)
  end
end

-- Let `member` count by what it has left.
function M.count_anew(c, member)
  local start = #member .. ':' .. member .. '|'
  local latest = call('ZREVRANGEBYLEX', key_of('k', c), '(' .. start .. '~', '[' .. start, 'LIMIT', 0, 1)[1]
  local stamp = max(latest and M.held_stamp(latest) or -1, tonumber(call('HGET', key_of('m', c), member) or -1))
  if not call('ZSCORE', key_of('o', c), member) then return end
  if stamp <= c.horizon then return M.gone(c, {member}) end
  call('ZADD', key_of('o', c), stamp, member)
  c.leave = min(c.leave, M.end_of(c, stamp))
end

function M.member_back(c, member, stamp, by)
  if call('ZREM', key_of('k', c), M.held_name(member, stamp, by)) == 1 then M.count_anew(c, member) end
end

function M.member_stays(c, member, stamp, by)
  if call('ZREM', key_of('k', c), M.held_name(member, stamp, by)) == 0 or stamp <= c.horizon then return end
  local settled = tonumber(call('HGET', key_of('m', c), member) or -1)
  call('HSET', key_of('m', c), member, format('%.0f', max(settled, stamp)))
  c.fresh = c.fresh .. 'm'
  M.stays(c, M.end_of(c, stamp))
end

function M.members_leave(c)
  local members
  repeat
    members = call('ZRANGEBYSCORE', key_of('o', c), '-inf', c.horizon, 'LIMIT', 0, BATCH)
    M.gone(c, members)
  until #members < BATCH
  local first = call('ZRANGE', key_of('o', c), 0, 0, 'WITHSCORES')[2]
  return first and M.end_of(c, tonumber(first)) or NEVER
end
