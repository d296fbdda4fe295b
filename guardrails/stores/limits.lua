-- The counters of one store in Redis; each call is one atomic run of this script.
--
-- KEYS[1] is the store's prefix with its hash tag, so that all keys of a store lie in one slot. ARGV[1] names
-- the operation, ARGV[2] is its JSON. Amounts are decimal strings throughout: Lua's numbers are exact only to
-- 53 bits. Times are microseconds and fit.
--
-- counter c:NAME  hash: high, total, reserved, until, and units by `@stamp`
-- stamps  s:NAME  sorted set of the stamps in use
-- held    d:NAME  sorted set of `reservation:position:stamp:units` by deadline
-- hold    h:ID    hash: fills, signature, charges, committed, request
-- request r:TEXT  the reservation that answers it
-- halts           hash: JSON by scope

local call, prefix = redis.call, KEYS[1]
local ask = cjson.decode(ARGV[2])
local BATCH, LOOK_AHEAD, MOST = 500, 64, '9223372036854775807'

local function text(number) return string.format('%.0f', number) end

local now = ask.now
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function plus(a, b)
  if #a < 16 and #b < 16 then return text(tonumber(a) + tonumber(b)) end
  local low = tonumber(a:sub(-15)) + tonumber(b:sub(-15))
  local high = (tonumber(a:sub(1, -16)) or 0) + (tonumber(b:sub(1, -16)) or 0)
  if low >= 1e15 then low, high = low - 1e15, high + 1 end
  return text(high) .. string.format('%015.0f', low)
end

local function above(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

-- a - b for a >= b, digit group by digit group as in `plus`.
local function minus(a, b)
  if #a < 16 then return text(tonumber(a) - tonumber(b)) end
  local low = tonumber(a:sub(-15)) - tonumber(b:sub(-15))
  local high = tonumber(a:sub(1, -16)) - (tonumber(b:sub(1, -16)) or 0)
  if low < 0 then low, high = low + 1e15, high - 1 end
  if high == 0 then return text(low) end
  return text(high) .. string.format('%015.0f', low)
end

-- Start and end of the calendar period around `at`, among the bounds that the caller worked out.
local function period(window, at)
  for index = #window.bounds - 1, 1, -1 do
    if window.bounds[index] <= at and at < window.bounds[index + 1] then
      return window.bounds[index], window.bounds[index + 1]
    end
  end
  error({err = 'GUARD clock'})
end

local function stamp_of(window, at)
  if window.width then return at - at % window.step + window.step - 1 end
  if window.bounds then return (period(window, at)) end
  return 0
end

local function horizon_of(window, at)
  if window.width then return at - window.width end
  if window.bounds then return period(window, at) - 1 end
  return -1
end

local function end_of(window, stamp)
  if window.width then return stamp + window.width end
  if window.bounds then
    local _, last = period(window, stamp)
    return last
  end
  return nil
end

local function open(name, window)
  local counter = {name = name, window = window, key = prefix .. 'c:' .. name}
  counter.stamps, counter.held = prefix .. 's:' .. name, prefix .. 'd:' .. name
  local found = call('HMGET', counter.key, 'high', 'total', 'until', 'reserved')
  counter.high = math.max(now, tonumber(found[1] or 0))
  counter.total, counter.till = found[2] or '0', tonumber(found[3] or 0)
  counter.reserved = found[4] or '0'
  counter.no_stamps, counter.none_held = counter.total == '0', counter.reserved == '0'
  counter.horizon = horizon_of(window, counter.high)
  return counter
end

local function take_back(counter, stamp, units)
  if units == '0' or tonumber(stamp) <= counter.horizon then return end
  counter.total = minus(counter.total, units)
  if call('HINCRBY', counter.key, '@' .. stamp, '-' .. units) == 0 then
    call('HDEL', counter.key, '@' .. stamp)
    call('ZREM', counter.stamps, stamp)
  end
end

local function parts(member) return member:match('^(%w+):(%d+):(%d+):(%d+)$') end

local function leave(counter)
  local stamps
  repeat
    stamps = call('ZRANGEBYSCORE', counter.stamps, '-inf', text(counter.horizon), 'LIMIT', 0, BATCH)
    for _, stamp in ipairs(stamps) do
      local units = call('HGET', counter.key, '@' .. stamp) or '0'
      counter.total = minus(counter.total, units)
      call('HDEL', counter.key, '@' .. stamp)
      call('ZREM', counter.stamps, stamp)
    end
  until #stamps < BATCH
end

local function run_out(counter)
  local late
  repeat
    late = call('ZRANGEBYSCORE', counter.held, '-inf', text(counter.high), 'LIMIT', 0, BATCH)
    for _, member in ipairs(late) do
      local _, _, stamp, units = parts(member)
      call('ZREM', counter.held, member)
      counter.reserved = minus(counter.reserved, units)
      take_back(counter, stamp, units)
    end
  until #late < BATCH
end

-- Redis may drop the keys once nothing in them counts any more (nil: never); extended in steps.
local function stays(counter, last)
  last = last or math.huge
  if last <= counter.till then return end
  counter.till = last == math.huge and last or last + 3600e6 + (last - counter.high) / 8
  counter.extended = true
end

local function lasts(counter, key)
  if counter.till == math.huge then return call('PERSIST', key) end
  call('PEXPIRE', key, text(math.ceil((counter.till - counter.high) / 1000)))
end

-- Write back what `open` read. A sorted set that was empty is a new key, which does not expire yet.
local function flush(counter)
  call('HSET', counter.key, 'high', text(counter.high), 'total', counter.total, 'reserved', counter.reserved,
    'until', counter.till == math.huge and '1e999' or text(counter.till))
  if counter.extended then lasts(counter, counter.key) end
  if counter.extended or counter.no_stamps then lasts(counter, counter.stamps) end
  if counter.extended or counter.none_held then lasts(counter, counter.held) end
end

local function advance(name, window)
  local counter = open(name, window)
  leave(counter)
  run_out(counter)
  stays(counter, counter.high)
  return counter
end

local function put(counter, units)
  local stamp = text(stamp_of(counter.window, counter.high))
  counter.total = plus(counter.total, units)
  if units ~= '0' then
    call('HINCRBY', counter.key, '@' .. stamp, units)
    call('ZADD', counter.stamps, stamp, stamp)
  end
  stays(counter, end_of(counter.window, tonumber(stamp)))
  return stamp
end

local function wait(counter, demand, ahead)
  if above(plus(ahead, demand.units), demand.ceiling) then return -1 end
  local needed = minus(plus(plus(counter.total, ahead), demand.units), demand.ceiling)
  local stamp = text(stamp_of(counter.window, counter.high))
  local freed = '0'
  for _, earlier in ipairs(call('ZRANGE', counter.stamps, 0, LOOK_AHEAD - 1)) do
    stamp = earlier
    freed = plus(freed, call('HGET', counter.key, '@' .. earlier))
    if not above(needed, freed) then break end
  end
  local last = end_of(counter.window, tonumber(stamp))
  return last and last - counter.high or -1
end

local function give_back(charges)
  local returned = 0
  for _, charge in ipairs(charges) do
    local held = prefix .. 'd:' .. charge.name
    local high = call('HGET', prefix .. 'c:' .. charge.name, 'high')
    if high and call('ZREM', held, charge.member) == 1 then
      local counter = open(charge.name, charge.window)
      -- What left the window since the counter last moved has not been taken off its sum yet.
      counter.horizon = horizon_of(charge.window, tonumber(high))
      local _, _, stamp, units = parts(charge.member)
      counter.high, counter.reserved = tonumber(high), minus(counter.reserved, units)
      take_back(counter, stamp, units)
      flush(counter)
      returned = 1
    end
  end
  return returned
end

-- The answer that a request, or a call that the network repeated, has had already.
local function answered(id)
  local hold = prefix .. 'h:' .. id
  local found = call('HMGET', hold, 'fills', 'signature', 'committed', 'charges')
  if not found[1] then return nil end
  if found[2] ~= ask.signature then return {'reused'} end
  local charges, held = cjson.decode(found[4]), true
  for _, charge in ipairs(charges) do flush(advance(charge.name, charge.window)) end
  for _, charge in ipairs(charges) do
    held = held and call('ZSCORE', prefix .. 'd:' .. charge.name, charge.member)
  end
  if held or found[3] then return {'granted', id, found[1]} end
  give_back(charges)
  return nil
end

local function hold_all(counters, fills)
  local charges, deadline = {}, now + ask.ttl
  for index, demand in ipairs(ask.demands) do
    local counter = counters[demand.name]
    local stamp, last = put(counter, demand.units), counter.high + ask.ttl
    local member = ask.id .. ':' .. index .. ':' .. stamp .. ':' .. demand.units
    counter.reserved = plus(counter.reserved, demand.units)
    call('ZADD', counter.held, text(last), member)
    stays(counter, last)
    deadline = math.max(deadline, last)
    charges[index] = {name = demand.name, window = demand.window, member = member, key = demand.key,
      decimals = demand.decimals}
  end
  for _, counter in pairs(counters) do flush(counter) end
  local hold, keep = prefix .. 'h:' .. ask.id, text(math.ceil((deadline - now + ask.keep) / 1000))
  call('HSET', hold, 'fills', fills, 'signature', ask.signature, 'charges', cjson.encode(charges))
  call('PEXPIRE', hold, keep)
  if ask.request then
    call('HSET', hold, 'request', ask.request)
    call('SET', prefix .. 'r:' .. ask.request, ask.id, 'PX', keep)
  end
end

local function reserve()
  local earlier = answered(ask.id)
  if not earlier and ask.request then
    local id = call('GET', prefix .. 'r:' .. ask.request)
    earlier = id and answered(id)
  end
  if earlier then return earlier end
  local counters, ahead, fills = {}, {}, {}
  for index, demand in ipairs(ask.demands) do
    local counter = counters[demand.name] or advance(demand.name, demand.window)
    counters[demand.name] = counter
    local before = ahead[demand.name] or '0'
    local total = plus(plus(counter.total, before), demand.units)
    if above(total, demand.ceiling) then
      fills[index] = plus(counter.total, before)
      local late = text(wait(counter, demand, before))
      for _, seen in pairs(counters) do flush(seen) end
      return {'refused', index - 1, late, table.concat(fills, ' ')}
    end
    ahead[demand.name] = plus(before, demand.units)
    fills[index] = total
  end
  hold_all(counters, table.concat(fills, ' '))
  return {'granted', ask.id, table.concat(fills, ' ')}
end

-- A reported amount such as `12.5` in units of the counter.
local function units_of(amount, decimals)
  local whole, fraction = amount:match('^(%d+)%.?(%d*)$')
  if #fraction > decimals then error({err = 'GUARD fine ' .. amount}) end
  local units = (whole .. fraction .. string.rep('0', decimals - #fraction)):gsub('^0+(%d)', '%1')
  if above(units, '4611686018427387903') then error({err = 'GUARD large'}) end
  return units
end

local function finals_of(charges)
  local finals, known, sum = {}, {}, '0'
  for index, charge in ipairs(charges) do
    known[charge.key] = true
    local actual = ask.actual[charge.key]
    local _, _, _, estimate = parts(charge.member)
    finals[index] = actual and units_of(actual, charge.decimals) or estimate
    sum = plus(sum, finals[index])
  end
  for key in pairs(ask.actual) do
    if not known[key] then error({err = 'GUARD unreserved ' .. key}) end
  end
  -- Before anything is written: a script that fails half-way is not undone.
  for _, charge in ipairs(charges) do
    local total = call('HGET', prefix .. 'c:' .. charge.name, 'total') or '0'
    if above(plus(total, sum), MOST) then error({err = 'GUARD large'}) end
  end
  return finals
end

local function settle(charge, final)
  local counter = advance(charge.name, charge.window)
  local _, _, stamp, estimate = parts(charge.member)
  if call('ZREM', counter.held, charge.member) == 0 then
    put(counter, final)
  else
    counter.reserved = minus(counter.reserved, estimate)
    if above(estimate, final) then
      take_back(counter, stamp, minus(estimate, final))
    else
      put(counter, minus(final, estimate))
    end
  end
  flush(counter)
end

local function commit()
  local hold = prefix .. 'h:' .. ask.id
  local found = call('HMGET', hold, 'charges', 'committed', 'request')
  if not found[1] or found[2] then return 0 end
  local charges = cjson.decode(found[1])
  for index, final in ipairs(finals_of(charges)) do settle(charges[index], final) end
  if found[3] then call('HSET', hold, 'committed', 1) else call('DEL', hold) end
  return 1
end

local function release()
  local found = call('HMGET', prefix .. 'h:' .. ask.id, 'charges', 'committed')
  if not found[1] or found[2] then return 0 end
  return give_back(cjson.decode(found[1]))
end

local function fill()
  local answers = {}
  for index, demand in ipairs(ask.demands) do
    local counter = open(demand.name, demand.window)
    local reserved = counter.reserved
    for _, stamp in ipairs(call('ZRANGEBYSCORE', counter.stamps, '-inf', text(counter.horizon))) do
      counter.total = minus(counter.total, call('HGET', counter.key, '@' .. stamp))
    end
    for _, member in ipairs(call('ZRANGEBYSCORE', counter.held, '-inf', text(counter.high))) do
      local _, _, stamp, units = parts(member)
      reserved = minus(reserved, units)
      if tonumber(stamp) > counter.horizon then counter.total = minus(counter.total, units) end
    end
    answers[index] = counter.total .. ' ' .. reserved
  end
  return answers
end

local function halt()
  ask.halt.since = text(now)
  call('HSET', prefix .. 'halts', ask.halt.scope, cjson.encode(ask.halt))
  return 1
end

local function resume() return call('HDEL', prefix .. 'halts', ask.scope) end

local function halts()
  local found = {}
  for _, entry in ipairs(call('HVALS', prefix .. 'halts')) do
    local last = cjson.decode(entry)['until']
    if not last or tonumber(last) > now then found[#found + 1] = entry end
  end
  return found
end

local operations = {reserve = reserve, commit = commit, release = release, fill = fill, halt = halt,
  resume = resume, halts = halts}
return operations[ARGV[1]]()
