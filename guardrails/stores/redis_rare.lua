-- What few reservations need: repeated requests, renamed counters, and what to say when there is no room.

-- The answer that a request, or a call that the network repeated, has had already.
function M.answered(of, signature)
  local hold = M.hold_of(of)
  if not hold then return nil end
  if signature and hold.signature ~= signature then return {'reused'} end
  if hold.state == COMMITTED then return {'granted', of, unpack(hold.fills)} end
  if hold.state ~= OPEN then return nil end
  local found, list = M.counters_of(hold)
  if not found then return {err = 'GUARD clock'} end
  local standing = #found > 0 or hold.stays or now < hold.deadline
  for index, c in ipairs(found) do
    local _, _, _, charge = M.charge_at(hold, index)
    standing = standing and M.is_held(c, charge)
  end
  if not standing then
    M.give_back(hold, found)
    M.save_hold(hold)
  end
  M.flush(list, of)
  return standing and {'granted', of, unpack(hold.fills)} or nil
end

-- The counter of a demand whose key was another before: renamed with all that is kept about it.
function M.renamed(name, spec, was)
  local heads = prefix .. 'c'
  local head = call('HGET', heads, was)
  if not head then return nil end
  local c = M.opened(name, spec, head)
  if not c.horizon then return c end
  for kind in ('sdmko'):gmatch('.') do
    local old = prefix .. kind .. ':' .. was
    if call('EXISTS', old) == 1 then call('RENAME', old, prefix .. kind .. ':' .. name) end
  end
  call('HDEL', heads, was)
  call('HSET', heads, name, head)
  call('ZREM', prefix .. 'names', was)
  local needed = max(c.high, M.last_deadline(c)) + KEEP - c.high
  call('SET', prefix .. 'a:' .. c.birth, name, 'PX', ceil(needed / 1000))
  c.extended = true
  return c
end

-- What a demand for a member would add to what this call asks for: nothing for one that counts already.
function M.missing(c, member, uh, ul)
  c.unit, c.asked = uh * BASE + ul, c.asked or {}
  if c.asked[member] or call('ZSCORE', prefix .. 'o:' .. c.name, member) then uh, ul = 0, 0 end
  c.asked[member] = true
  return uh, ul
end

function M.asked_members(c)
  local hi, lo, uh, ul = 0, 0, M.unit_of(c)
  for _ in pairs(c.asked) do hi, lo = plus(hi, lo, uh, ul) end
  return hi, lo
end

local function add_slots(leaving, slots)
  for at = 1, #slots, SLOT_SIZE do leaving[#leaving + 1] = {unpacked(SLOT, slots, at)} end
end

local function slots_leaving(c)
  local leaving, chunks = {}, LOOK_AHEAD / FEW_SLOTS
  add_slots(leaving, c.front)
  local middle = c.closed > 0 and call('ZRANGE', prefix .. 's:' .. c.name, 0, chunks - 1) or {}
  for _, chunk in ipairs(middle) do add_slots(leaving, chunk) end
  if #middle < chunks then
    add_slots(leaving, c.back)
    if c.sh > 0 or c.sl > 0 then leaving[#leaving + 1] = {c.stamp, c.sh, c.sl} end
  end
  return leaving
end

local function members_leaving(c)
  local leaving, place = {}, 0
  repeat
    local found = call('ZRANGE', prefix .. 'o:' .. c.name, place, place + BATCH - 1, 'WITHSCORES')
    for at = 1, #found, 2 do
      if not c.asked[found[at]] then leaving[#leaving + 1] = {tonumber(found[at + 1]), M.unit_of(c)} end
    end
    place = place + BATCH
  until #found < 2 * BATCH or #leaving >= LOOK_AHEAD
  return leaving
end

-- Microseconds until `hi, lo` of what the counter holds will have left; -1: never.
function M.wait_for(c, hi, lo)
  local stamp = c.horizon + 1
  for _, slot in ipairs(c.asked and members_leaving(c) or slots_leaving(c)) do
    stamp = slot[1]
    if not above(hi, lo, slot[2], slot[3]) then break end
    hi, lo = minus(hi, lo, slot[2], slot[3])
  end
  local last = M.end_of(c, stamp)
  return last == NEVER and -1 or last - c.high
end
