-- What becomes of single charges: given back, settled, run out.

function M.parts(charge)
  local id, index, stamp, units, kind, member = charge:match('^(%x+):(%d+):(%d+):(%d+):(.)(.*)$')
  return id, tonumber(index), tonumber(stamp), units, kind, member
end

-- `slots` without `units` in the one of `stamp`; nil: it is not among them.
function M.lessened(slots, stamp, uh, ul)
  for at = 1, #slots, SLOT_SIZE do
    local this, hi, lo = unpacked(SLOT, slots, at)
    if this == stamp then
      hi, lo = minus(hi, lo, uh, ul)
      local rest = (hi > 0 or lo > 0) and pack(SLOT, stamp, hi, lo) or ''
      return slots:sub(1, at - 1) .. rest .. slots:sub(at + SLOT_SIZE)
    end
  end
end

-- Give `units` back that were charged under `stamp`, unless they have left.
function M.take_back(c, stamp, uh, ul)
  if stamp <= c.horizon or (uh == 0 and ul == 0) then return end
  c.th, c.tl = minus(c.th, c.tl, uh, ul)
  if stamp == c.stamp then
    c.sh, c.sl = minus(c.sh, c.sl, uh, ul)
    return
  end
  local back = M.lessened(c.back, stamp, uh, ul)
  local front = not back and M.lessened(c.front, stamp, uh, ul)
  if back or front then
    c.back, c.front = back or c.back, front or c.front
    return
  end
  local key = prefix .. 's:' .. c.name
  local chunk, begins = unpack(call('ZREVRANGEBYSCORE', key, stamp, '-inf', 'WITHSCORES', 'LIMIT', 0, 1))
  local rest = chunk and M.lessened(chunk, stamp, uh, ul)
  if not rest then return end
  if rest == '' then c.closed = c.closed - 1 else call('ZADD', key, begins, rest) end
  call('ZREM', key, chunk)
end

function M.place_of(c, charge)
  local id, index = charge:match('^(%x+):(%d+):')
  local wanted, from = id .. pack('<H', tonumber(index)), 1
  while true do
    local at = c.held:find(wanted, from, true)
    if not at or (at - 1) % HELD_SIZE == 0 then return at end
    from = at + 1
  end
end

function M.is_held(c, charge)
  return M.place_of(c, charge) or (c.spilled > 0 and call('ZSCORE', prefix .. 'd:' .. c.name, charge))
end

-- Hold `charge` no longer; false: it was not held (any more).
function M.let_go(c, charge)
  local at = M.place_of(c, charge)
  if at then
    c.held = c.held:sub(1, at - 1) .. c.held:sub(at + HELD_SIZE)
  elseif c.spilled == 0 or call('ZREM', prefix .. 'd:' .. c.name, charge) == 0 then
    return false
  else
    c.spilled = c.spilled - 1
  end
  if c.held == '' and c.spilled == 0 then c.lapse = NEVER end
  return true
end

-- The time of a charge is over: it is given back, or stays for good.
function M.run_out(c, charge)
  local id, index, stamp, units, kind, member = M.parts(charge)
  if kind == 'G' or kind == 'S' then
    need('members')
    local act = kind == 'G' and M.member_back or M.member_stays
    return act(c, member, stamp, id .. ':' .. index)
  end
  M.amount_out(c, stamp, kind, amount(units))
end

function M.amount_out(c, stamp, kind, uh, ul)
  c.rh, c.rl = minus(c.rh, c.rl, uh, ul)
  if kind == 'g' then M.take_back(c, stamp, uh, ul) end
end

-- Let run out what has; when the next one does.
function M.charges_lapse(c)
  local next_one, kept = NEVER, {}
  for at = 1, #c.held, HELD_SIZE do
    local _, _, last, stamp, uh, ul, kind = unpacked(HELD, c.held, at)
    if last <= c.high then
      M.amount_out(c, stamp, kind, uh, ul)
    else
      next_one = min(next_one, last)
      kept[#kept + 1] = c.held:sub(at, at + HELD_SIZE - 1)
    end
  end
  c.held = table.concat(kept)
  local key = prefix .. 'd:' .. c.name
  while c.spilled > 0 do
    local late = call('ZRANGEBYSCORE', key, '-inf', c.high, 'LIMIT', 0, BATCH)
    for _, charge in ipairs(late) do M.run_out(c, charge) end
    if #late > 0 then call('ZREMRANGEBYRANK', key, 0, #late - 1) end
    c.spilled = c.spilled - #late
    if #late < BATCH then break end
  end
  local first = c.spilled > 0 and call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return min(next_one, tonumber(first or NEVER))
end

-- The held charges whose time is over, as text.
function M.late(c)
  if c.high < c.lapse then return {} end
  local late = c.spilled > 0 and call('ZRANGEBYSCORE', prefix .. 'd:' .. c.name, '-inf', c.high) or {}
  for at = 1, #c.held, HELD_SIZE do
    local id, index, last, stamp, uh, ul, kind = unpacked(HELD, c.held, at)
    if last <= c.high then late[#late + 1] = format('%s:%d:%.0f:%s:%s', id, index, stamp, text(uh, ul), kind) end
  end
  return late
end

-- The deadline of the held charge that runs out last.
function M.last_deadline(c)
  local last = c.spilled > 0 and call('ZRANGE', prefix .. 'd:' .. c.name, -1, -1, 'WITHSCORES')[2]
  last = tonumber(last or 0)
  for at = 1, #c.held, HELD_SIZE do
    local _, _, deadline = unpacked(HELD, c.held, at)
    last = max(last, deadline)
  end
  return last
end
