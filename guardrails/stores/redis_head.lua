-- What all scripts begin with: the time, and arithmetic. Bounds such as KEEP are put in front by the client.
--
-- KEYS[1] is the store's prefix with its hash tag, so that all keys of a store lie in one slot. Times are
-- microseconds. Amounts are pairs (high, low) of base 10^15, because Lua's numbers are exact to 53 bits only.
--
-- Each part that follows puts what it defines into M when it is needed (`need`): to define all of it in each
-- run would take longer than most runs do.

local call, prefix, M = redis.call, KEYS[1], {}
local format, pack, unpacked = string.format, struct.pack, struct.unpack
local min, max, ceil, NEVER = math.min, math.max, math.ceil, math.huge
local BASE, BATCH = 1e15, 500
local OPEN, COMMITTED = 0, 2

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
