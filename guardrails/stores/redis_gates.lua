-- Circuit breakers: what opens them, and what they answer.
--
-- b:KEY  mark, until (-1: closed), when the probe is lost, failures in a row, outcomes, failures, the probe
-- g:KEY  sorted set of outcomes `number:failures` by time, both counted from when it was closed last
--
-- A gate comes as `retry_after;failures,window,part,whole;...`, where a 0 says that there is none.

local STATE = '<dddddd'

function M.gate_of(key, spec)
  local gate = {key = key, openings = {}, longest = false}
  gate.retry = tonumber(spec:match('^%d+'))
  for failures, window, part, whole in spec:gmatch(';(%d+),(%d+),(%d+),(%d+)') do
    window = tonumber(window)
    gate.openings[#gate.openings + 1] =
      {failures = tonumber(failures), window = window, part = tonumber(part), whole = tonumber(whole)}
    if window > 0 then gate.longest = max(gate.longest or 0, window) end
  end
  return gate
end

function M.breaker_of(key)
  local b, raw = {key = key, log = prefix .. 'g:' .. key}, call('GET', prefix .. 'b:' .. key)
  if not raw then
    b.mark, b.till, b.lost, b.run, b.outcomes, b.failures, b.probe, b.new = 0, -1, 0, 0, 0, 0, '', true
    return b
  end
  b.mark, b.till, b.lost, b.run, b.outcomes, b.failures = unpacked(STATE, raw)
  b.probe = raw:sub(49)
  return b
end

-- The time from which the breaker is forgotten, which is as good as new.
function M.kept_until(b, gate) return max(b.mark + (gate.longest or 0), b.lost, b.till) + FORGOTTEN end

function M.save(b, gate)
  local keep = ceil((M.kept_until(b, gate) - b.mark) / 1000)
  local state = pack(STATE, b.mark, b.till, b.lost, b.run, b.outcomes, b.failures) .. b.probe
  call('SET', prefix .. 'b:' .. b.key, state, 'PX', keep)
  call('PEXPIRE', b.log, keep)
end

-- Why the gate lets no call through: the wait, -1 while a probe is under way; nil: it does.
function M.shut(b, gate)
  if b.till < 0 or now >= M.kept_until(b, gate) then return nil end
  local at = max(now, b.mark)
  if at < b.till then return b.till - at end
  if b.probe ~= '' and at < b.lost then return -1 end
end

function M.close(b)
  b.till, b.probe, b.run, b.outcomes, b.failures = -1, '', 0, 0, 0
  call('DEL', b.log)
end

function M.let_through(b, gate, id, ttl)
  if b.till < 0 then return end
  if now >= M.kept_until(b, gate) then
    M.close(b)
  else
    b.mark = max(now, b.mark)
    b.probe, b.lost = id, b.mark + (ttl or PROBE)
  end
  M.save(b, gate)
end

function M.numbers(entry)
  local number, failures = entry:match('^(%d+):(%d+)$')
  return tonumber(number), tonumber(failures)
end

-- Outcomes and failures as they were at `at`; as far as known, where the log begins later.
function M.before(b, at)
  local entry = call('ZREVRANGEBYSCORE', b.log, at, '-inf', 'LIMIT', 0, 1)[1]
  if entry then return M.numbers(entry) end
  entry = call('ZRANGE', b.log, 0, 0)[1]
  if entry and M.numbers(entry) > 1 then return M.numbers(entry) end
  return 0, 0
end

function M.reached(b, opening, at)
  if opening.window == 0 then return b.run >= opening.failures end
  local number, failed = M.before(b, at - opening.window)
  local outcomes, failures = b.outcomes - number, b.failures - failed
  if opening.whole == 0 then return failures >= opening.failures end
  return outcomes >= opening.failures and failures * opening.whole >= opening.part * outcomes
end

function M.trim(b, at)
  local number = M.before(b, at)
  local first = call('ZRANGE', b.log, 0, 0)[1]
  local excess = max(number, b.outcomes - MOST_OUTCOMES) - M.numbers(first)
  if excess > 0 then call('ZREMRANGEBYRANK', b.log, 0, excess - 1) end
end

function M.count(b, gate, at, failed)
  b.mark, b.outcomes = at, b.outcomes + 1
  b.failures, b.run = b.failures + (failed and 1 or 0), failed and b.run + 1 or 0
  if gate.longest then
    call('ZADD', b.log, at, format('%012.0f:%.0f', b.outcomes, b.failures))
    M.trim(b, at - gate.longest)
  end
  for _, opening in ipairs(gate.openings) do
    if M.reached(b, opening, at) then b.till = at + gate.retry end
  end
end

-- The call of reservation `id` ended with `success`, `failure`, or was not run (`none`).
function M.settle_gate(gate, id, outcome)
  local b = M.breaker_of(gate.key)
  if b.new and outcome == 'none' then return end
  local at = max(now, b.mark)
  if now >= M.kept_until(b, gate) then M.close(b) end
  if b.till < 0 then
    if outcome == 'none' then return end
    M.count(b, gate, at, outcome == 'failure')
  else
    if b.probe ~= id or at >= b.lost then return end
    b.probe, b.mark = '', at
    if outcome == 'failure' then b.till = at + gate.retry end
    if outcome == 'success' then M.close(b) end
  end
  M.save(b, gate)
end
