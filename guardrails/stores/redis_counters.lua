-- Counters: what one limit has been charged, and when it leaves. First part of every script.
--
-- Takes the store's prefix (KEYS[1], with its hash tag, so that all keys of a store lie in one slot) and the
-- time. The idea: a counter's head is one packed string with the running sum and the two instants before
-- which nothing leaves and nothing runs out, so that a decision is one GET and one SET, however full the
-- window is. Charges of one stamp make a slot. The newest slot lies in the head, older ones in a sorted set.
--
-- Times are microseconds. Amounts are pairs (high, low) of base 10^15, because Lua's numbers are exact to 53
-- bits only. KEEP, LOOK_AHEAD and other bounds are put in front by the client.
--
-- c:NAME  head           s:NAME  older slots `stamp:units`, by stamp
-- d:NAME  held charges `reservation:position:stamp:units:kind`, by deadline
-- m:NAME, k:NAME, o:NAME  members: see members.lua
-- a:ID    what the counter that was made as ID is named now
-- names   the counters, by the instant from which they need not be kept

local call, prefix = redis.call, KEYS[1]
local format, pack, unpacked = string.format, struct.pack, struct.unpack
local min, max, ceil, NEVER = math.min, math.max, math.ceil, math.huge
local HEAD, BASE, BATCH = '<ddddddddddddddc24', 1e15, 500

-- A caller's clock may stand still while the server's runs on and would drop a key too early.
local now = tonumber(ARGV[1])
local SLACK = now and KEEP or 0
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function amount(digits)
  if #digits < 16 then return 0, tonumber(digits) end
  return tonumber(digits:sub(1, -16)), tonumber(digits:sub(-15))
end

local function text(hi, lo)
  if hi == 0 then return format('%.0f', lo) end
  return format('%.0f%015.0f', hi, lo)
end

local function plus(ah, al, bh, bl)
  local hi, lo = ah + bh, al + bl
  if lo >= BASE then return hi + 1, lo - BASE end
  return hi, lo
end

local function minus(ah, al, bh, bl)
  local hi, lo = ah - bh, al - bl
  if lo < 0 then return hi - 1, lo + BASE end
  return hi, lo
end

local function above(ah, al, bh, bl) return ah > bh or (ah == bh and al > bl) end

-- Start and end of the calendar period around the counter's time; nil: the client did not say.
local function period(c)
  local high, bounds = c.high, c.bounds
  if c.stamp <= high and high < c.ends then return c.stamp, c.ends end
  for index = #bounds - 1, 1, -1 do
    if bounds[index] <= high and high < bounds[index + 1] then return bounds[index], bounds[index + 1] end
  end
end

-- The stamp of a charge made now, and when it leaves.
local function slot_at(c)
  local high, width, step = c.high, c.width, c.step
  if width then
    local stamp = step == 1 and high or high - high % step + step - 1
    return stamp, stamp + width
  end
  if c.bounds then return period(c) end
  return 0, NEVER
end

local function set_horizon(c)
  if c.width then
    c.horizon = c.high - c.width
  elseif c.bounds then
    local start = period(c)
    c.horizon = start and start - 1
  else
    c.horizon = -1
  end
end

-- `60000000` and `60000000/1000000` slide, `0 86400000000 ...` are bounds of periods, nothing is all of time.
local function window_of(spec)
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

-- A counter as it was left, with its time moved to `now`. Its `horizon` is nil if the client did not say in
-- which calendar period that is.
local function opened(name, spec, head)
  local width, step, bounds = window_of(spec)
  local high, till, leave, lapse, closed, unit, th, tl, rh, rl, stamp, ends, sh, sl, birth
  if head then
    high, till, leave, lapse, closed, unit, th, tl, rh, rl, stamp, ends, sh, sl, birth = unpacked(HEAD, head)
  else
    high, till, leave, lapse, closed, unit, th, tl, rh, rl, stamp, ends, sh, sl =
      now, 0, NEVER, NEVER, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  end
  local c = {name = name, spec = spec, width = width, step = step, bounds = bounds, high = max(now, high),
    till = till, leave = leave, lapse = lapse, closed = closed, unit = unit, th = th, tl = tl, rh = rh, rl = rl,
    stamp = stamp, ends = ends, sh = sh, sl = sl, birth = birth, horizon = false, ah = 0, al = 0,
    extended = false, new_slots = false, new_held = false, new_members = false, asked = false}
  set_horizon(c)
  return c
end

local function open(name, spec) return opened(name, spec, call('GET', prefix .. 'c:' .. name)) end

-- Redis may drop the keys some time after nothing in them counts any more; put off in steps.
local function stays(c, last)
  if last + KEEP / 2 <= c.till then return end
  c.till, c.extended = last + KEEP + (last - c.high) / 8, true
end

local function lasts(c, kind)
  local key = prefix .. kind .. ':' .. c.name
  if c.till == NEVER then return call('PERSIST', key) end
  call('PEXPIRE', key, ceil((c.till - c.high) / 1000))
end

-- Note in the index that the counter exists, and forget those that need not be kept.
local function enlist(c)
  local names = prefix .. 'names'
  call('ZADD', names, c.till, c.name)
  call('ZREMRANGEBYSCORE', names, '-inf', c.high - 1)
  local last = tonumber(call('ZRANGE', names, -1, -1, 'WITHSCORES')[2])
  if last == NEVER then return call('PERSIST', names) end
  call('PEXPIRE', names, ceil((last - c.high) / 1000))
end

-- Write the head back, and see to it that no key outlives what it is for.
local function flush(c, id)
  stays(c, c.high)
  local key = prefix .. 'c:' .. c.name
  local head = pack(HEAD, c.high, c.till, c.leave, c.lapse, c.closed, c.unit, c.th, c.tl, c.rh, c.rl, c.stamp,
    c.ends, c.sh, c.sl, c.birth or id)
  if c.till == NEVER then
    call('SET', key, head)
  elseif c.extended then
    call('SET', key, head, 'PX', ceil((c.till - c.high) / 1000))
  else
    call('SET', key, head, 'KEEPTTL')
  end
  if c.extended then
    enlist(c)
    lasts(c, 's')
    lasts(c, 'd')
    if c.unit > 0 then lasts(c, 'm') lasts(c, 'k') lasts(c, 'o') end
  else
    if c.new_slots then lasts(c, 's') end
    if c.new_held then lasts(c, 'd') end
    if c.new_members then lasts(c, 'm') lasts(c, 'k') lasts(c, 'o') end
  end
end

-- Charge `units` to the slot of the present; its stamp.
local function put(c, uh, ul)
  local stamp, ends = slot_at(c)
  if uh == 0 and ul == 0 then return stamp end
  if stamp ~= c.stamp or ends ~= c.ends then
    if c.sh > 0 or c.sl > 0 then
      c.new_slots = c.new_slots or c.closed == 0
      call('ZADD', prefix .. 's:' .. c.name, c.stamp, text(0, c.stamp) .. ':' .. text(c.sh, c.sl))
      c.closed = c.closed + 1
    end
    c.stamp, c.ends, c.sh, c.sl = stamp, ends, 0, 0
  end
  c.sh, c.sl = plus(c.sh, c.sl, uh, ul)
  c.th, c.tl = plus(c.th, c.tl, uh, ul)
  c.leave = min(c.leave, ends)
  stays(c, ends)
  return stamp
end

-- Give `units` back that were charged under `stamp`, unless they have left.
local function take_back(c, stamp, uh, ul)
  if stamp <= c.horizon or (uh == 0 and ul == 0) then return end
  c.th, c.tl = minus(c.th, c.tl, uh, ul)
  if stamp == c.stamp then
    c.sh, c.sl = minus(c.sh, c.sl, uh, ul)
    return
  end
  local key = prefix .. 's:' .. c.name
  local slot = call('ZRANGEBYSCORE', key, stamp, stamp)[1]
  if not slot then return end
  local sh, sl = amount(slot:match(':(%d+)$'))
  sh, sl = minus(sh, sl, uh, ul)
  call('ZREM', key, slot)
  if sh > 0 or sl > 0 then
    call('ZADD', key, stamp, text(0, stamp) .. ':' .. text(sh, sl))
  else
    c.closed = c.closed - 1
  end
end
