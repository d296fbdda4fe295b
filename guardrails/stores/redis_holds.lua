-- Reservations: what a grant holds, until it is settled or nobody can ask for it any more.
--
-- h:ID    packed: deadline, whether it stays, state, whether its gates know the outcome, who settled it and
--         what was answered, request, signature, fills, gates as (key, gate), charges as
--         (counter, window, birth, charge)
-- r:TEXT  the reservation that answers a request

local OPEN, RELEASED, COMMITTED = 0, 1, 2

local function hold_of(id)
  local raw = call('GET', prefix .. 'h:' .. id)
  if not raw then return nil end
  local h = cmsgpack.unpack(raw)
  local hold = {id = id, deadline = h[1], stays = h[2], state = h[3], reported = h[4], settler = h[5], answer = h[6],
    request = h[7], signature = h[8], fills = h[9], gates = h[10], charges = h[11]}
  if hold.deadline + KEEP > now then return hold end
end

local function save_hold(hold)
  local key = prefix .. 'h:' .. hold.id
  local packed = cmsgpack.pack({hold.deadline, hold.stays, hold.state, hold.reported, hold.settler, hold.answer,
    hold.request, hold.signature, hold.fills, hold.gates, hold.charges})
  call('SET', key, packed, 'KEEPTTL')
end

local function charge_at(hold, index)
  local at, charges = 4 * index - 3, hold.charges
  return charges[at], charges[at + 1], charges[at + 2], charges[at + 3]
end

-- The counter that was made as `birth` and named `name`, wherever it is now.
local function found(name, spec, birth)
  local c = open(name, spec)
  if c.birth == birth then return c end
  local alias = call('GET', prefix .. 'a:' .. birth)
  return alias and open(alias, spec) or c
end

-- All counters of a reservation, at their time, per charge.
local function counters_of(hold)
  local by_name, counters = {}, {}
  for index = 1, #hold.charges / 4 do
    local c = found(charge_at(hold, index))
    if not c.horizon then return nil end
    by_name[c.name] = by_name[c.name] or c
    counters[index] = by_name[c.name]
  end
  for _, c in pairs(by_name) do advance(c) end
  return counters, by_name
end

local function flush_all(by_name, id)
  for _, c in pairs(by_name) do flush(c, id) end
end

local function still_held(c, charge) return call('ZSCORE', prefix .. 'd:' .. c.name, charge) end

-- Hold `charge` no longer; false: it was not held (any more).
local function let_go(c, charge)
  local key = prefix .. 'd:' .. c.name
  if call('ZREM', key, charge) == 0 then return false end
  if call('EXISTS', key) == 0 then c.lapse = NEVER end
  return true
end

-- Give every charge back that is held; whether there was one.
local function give_back(hold, counters)
  local any = false
  for index, c in ipairs(counters) do
    local _, _, _, charge = charge_at(hold, index)
    if let_go(c, charge) then
      local by, stamp, units, kind, member = parts(charge)
      if kind == 'G' or kind == 'S' then
        member_back(c, member, stamp, by)
      else
        local uh, ul = amount(units)
        c.rh, c.rl = minus(c.rh, c.rl, uh, ul)
        take_back(c, stamp, uh, ul)
      end
      any = true
    end
  end
  hold.state = RELEASED
  return any
end
