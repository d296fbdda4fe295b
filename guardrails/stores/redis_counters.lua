-- Counters: what one limit has been charged, and when it leaves.
--
-- The idea: a counter's head is one packed string with the running sum, the two instants before which nothing
-- leaves and nothing runs out, and both ends of the queue of its charges. All heads lie in one hash, so that
-- a decision reads them with one command and writes them with one, however full the windows are. Charges of
-- one stamp make a slot; the newest is filled up, a few that follow it (`back`) and a few of the oldest
-- (`front`) lie in the head, the others in a sorted set. So do charges that are held, if they are many.
--
-- c        hash of heads, by counter
-- s:NAME   slots between front and back, in chunks as long as a full back, by the stamp they begin with
-- d:NAME   held charges that are not in the head, `reservation:position:stamp:units:kind` by deadline
-- m:NAME, k:NAME, o:NAME  members: see members.lua
-- a:ID     what the counter that was made as ID is named now
-- names    the counters, by the instant from which they need not be kept
--
-- The kind of a charge: `g` is given back when it runs out, `s` stays; capital letters are of members.

-- Start and end of the calendar period around the counter's time; nil: the client did not say.
function M.period(c)
  local high, bounds = c.high, c.bounds
  if c.stamp <= high and high < c.ends then return c.stamp, c.ends end
  for index = #bounds - 1, 1, -1 do
    if bounds[index] <= high and high < bounds[index + 1] then return bounds[index], bounds[index + 1] end
  end
end

-- The stamp of a charge made now, and when it leaves.
function M.slot_at(c)
  local high, width, step = c.high, c.width, c.step
  if width then
    local stamp = step == 1 and high or high - high % step + step - 1
    return stamp, stamp + width
  end
  if c.bounds then return M.period(c) end
  return 0, NEVER
end

-- When what is charged under `stamp`, which has not left, will leave.
function M.end_of(c, stamp)
  if c.width then return stamp + c.width end
  local _, ends = M.slot_at(c)
  return ends
end

-- `60000000` and `60000000/1000000` slide, `0 86400000000 ...` are bounds of periods, nothing is all of time.
function M.window_of(spec)
  local width, step, bounds = tonumber(spec), 1, nil
  if not width and spec ~= '' then
    width, step = spec:match('^(%d+)/(%d+)$')
    width, step = tonumber(width), tonumber(step)
    if not width then
      bounds = {}
      for bound in spec:gmatch('%-?%d+') do bounds[#bounds + 1] = tonumber(bound) end
    end
  end
  return width, step, bounds
end

-- A counter as it was left, with its time moved to `now`. Its `horizon`, up to which charges have left, is
-- nil if the client did not say in which calendar period that is.
function M.opened(name, spec, head)
  local width, step, bounds = M.window_of(spec)
  local high, till, leave, lapse, closed, spilled, unit, th, tl, rh, rl, stamp, ends, sh, sl = now, 0, NEVER, NEVER, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  local front, back, held, birth = '', '', '', nil
  if head then
    local fronts, backs
    high, till, leave, lapse, closed, spilled, unit, th, tl, rh, rl, stamp, ends, sh, sl, fronts, backs, birth =
      unpacked(HEAD, head)
    local from, to = HEAD_SIZE + fronts, HEAD_SIZE + fronts + backs
    if fronts > 0 then front = head:sub(HEAD_SIZE + 1, from) end
    if backs > 0 then back = head:sub(from + 1, to) end
    if #head > to then held = head:sub(to + 1) end
    if now > high then high = now end
  end
  local c = {name = name, width = width, step = step, bounds = bounds, high = high, till = till, leave = leave,
    lapse = lapse, closed = closed, spilled = spilled, unit = unit, th = th, tl = tl, rh = rh, rl = rl,
    stamp = stamp, ends = ends, sh = sh, sl = sl, front = front, back = back, held = held, birth = birth,
    horizon = -1, ah = 0, al = 0, extended = false, fresh = '', asked = false}
  if width then
    c.horizon = high - width
  elseif bounds then
    local start = M.period(c)
    c.horizon = start and start - 1
  end
  return c
end

-- Redis may drop what is kept about a counter some time after nothing in it counts any more; put off in steps.
function M.stays(c, last)
  if last + KEEP / 2 <= c.till then return end
  c.till, c.extended = last + KEEP + (last - c.high) / 8, true
end

function M.lasts(c, kinds)
  local left = ceil((c.till - c.high) / 1000)
  for kind in kinds:gmatch('.') do
    local key = prefix .. kind .. ':' .. c.name
    if c.till == NEVER then call('PERSIST', key) else call('PEXPIRE', key, left) end
  end
end

-- Forget some counters that are not needed any more. Those in use have been noted down as needed before.
function M.clear()
  local names = prefix .. 'names'
  for _, old in ipairs(call('ZRANGEBYSCORE', names, '-inf', now - 1, 'LIMIT', 0, 20)) do
    call('HDEL', prefix .. 'c', old)
    call('ZREM', names, old)
    for kind in ('sdmko'):gmatch('.') do call('DEL', prefix .. kind .. ':' .. old) end
  end
end

-- The hash of heads and the index last as long as the counter that lasts longest.
function M.keep_heads()
  local names, heads = prefix .. 'names', prefix .. 'c'
  local last = tonumber(call('ZRANGE', names, -1, -1, 'WITHSCORES')[2])
  if last == NEVER then
    call('PERSIST', names)
    call('PERSIST', heads)
  else
    local left = ceil((last - now) / 1000)
    call('PEXPIRE', names, left)
    call('PEXPIRE', heads, left)
  end
end

-- Write the heads back, and see to it that nothing outlives what it is for. `id` names those that are new.
function M.flush(counters, id)
  local heads, extended = {}, false
  for index, c in ipairs(counters) do
    M.stays(c, c.high)
    if c.extended then
      call('ZADD', prefix .. 'names', c.till, c.name)
      M.lasts(c, c.unit > 0 and 'sdmko' or 'sd')
      extended = true
    elseif c.fresh ~= '' then
      M.lasts(c, c.fresh)
    end
    heads[2 * index - 1] = c.name
    heads[2 * index] = pack(HEAD, c.high, c.till, c.leave, c.lapse, c.closed, c.spilled, c.unit, c.th, c.tl, c.rh,
      c.rl, c.stamp, c.ends, c.sh, c.sl, #c.front, #c.back, c.birth or id) .. c.front .. c.back .. c.held
  end
  if #heads == 0 then return end
  call('HSET', prefix .. 'c', unpack(heads))
  if extended then
    M.clear()
    M.keep_heads()
  end
end

-- Put the full slot of the present behind the others.
function M.shelve(c)
  c.back = c.back .. pack(SLOT, c.stamp, c.sh, c.sl)
  if #c.back < FEW_SLOTS * SLOT_SIZE then return end
  if c.closed == 0 then c.fresh = c.fresh .. 's' end
  call('ZADD', prefix .. 's:' .. c.name, (unpacked('<d', c.back)), c.back)
  c.back, c.closed = '', c.closed + 1
end

-- Charge `units` to the slot of the present; its stamp.
function M.put(c, uh, ul)
  local stamp, ends = M.slot_at(c)
  if uh == 0 and ul == 0 then return stamp end
  if stamp ~= c.stamp or ends ~= c.ends then
    if c.sh > 0 or c.sl > 0 then M.shelve(c) end
    c.stamp, c.ends, c.sh, c.sl = stamp, ends, 0, 0
  end
  c.sh, c.sl = plus(c.sh, c.sl, uh, ul)
  c.th, c.tl = plus(c.th, c.tl, uh, ul)
  if ends < c.leave then c.leave = ends end
  M.stays(c, ends)
  return stamp
end

-- Bring the oldest slots to the front; false: there are none but that of the present.
function M.refill(c)
  if c.front ~= '' then return true end
  if c.closed > 0 then
    c.front, c.closed = call('ZPOPMIN', prefix .. 's:' .. c.name)[1] or '', c.closed - 1
  else
    c.front, c.back = c.back, ''
  end
  return c.front ~= ''
end

-- Let go of the slots whose time is over; when the next one leaves.
function M.slots_leave(c)
  local horizon = c.horizon
  while M.refill(c) do
    local stamp, hi, lo = unpacked(SLOT, c.front)
    if stamp > horizon then return stamp + c.width end
    c.th, c.tl = minus(c.th, c.tl, hi, lo)
    c.front = c.front:sub(SLOT_SIZE + 1)
  end
  if c.ends <= c.high then
    c.th, c.tl = minus(c.th, c.tl, c.sh, c.sl)
    c.stamp, c.ends, c.sh, c.sl = 0, 0, 0, 0
  end
  return (c.sh > 0 or c.sl > 0) and c.ends or NEVER
end

-- Hold a charge that may be given back until `last`; the text that says what it is.
function M.hold(c, id, index, stamp, units, kind, last)
  local held = format('%s:%d:%.0f:%s:%s', id, index, stamp, units, kind)
  if (kind == 'g' or kind == 's') and #c.held < FEW_HELD * HELD_SIZE then
    local uh, ul = amount(units)
    c.held = c.held .. pack(HELD, id, index, last, stamp, uh, ul, kind)
  else
    if c.spilled == 0 then c.fresh = c.fresh .. 'd' end
    call('ZADD', prefix .. 'd:' .. c.name, last, held)
    c.spilled = c.spilled + 1
  end
  if last < c.lapse then c.lapse = last end
  M.stays(c, last)
  return held
end

-- Move the counter to its time: what left the window or ran out does not count any more. To be flushed.
function M.advance(c)
  if c.high >= c.leave then
    c.leave = M.slots_leave(c)
    if c.unit > 0 then
      need('members')
      c.leave = min(c.leave, M.members_leave(c))
    end
  end
  if c.high >= c.lapse then
    need('charges')
    c.lapse = M.charges_lapse(c)
  end
end
