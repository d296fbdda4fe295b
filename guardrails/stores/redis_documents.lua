-- Documents: texts by key, each with a version.
--
-- t:KEY  hash of version, end, text, and who wrote it last
-- keys   sorted set of all keys, by name
-- ends   sorted set of all keys, by when they are over
--
-- ARGV: time or nothing, what is asked, and its terms in turn.

local keys, ends = prefix .. 'keys', prefix .. 'ends'

local function found(key)
  local version, till, text, writer = unpack(call('HMGET', prefix .. 't:' .. key, 'v', 'e', 't', 'w'))
  if not version or tonumber(till) <= now then return 0, 0 end
  return tonumber(version), tonumber(till), text, writer
end

local function drop(key)
  call('DEL', prefix .. 't:' .. key)
  call('ZREM', keys, key)
  call('ZREM', ends, key)
end

-- Terms: key.
local function read()
  local version, _, text = found(ARGV[3])
  if version == 0 then return {0} end
  return {version, text}
end

-- Terms: key, text, the version that it was made from, keep, who writes, whether it may have been written already.
local function swap()
  local key, from = ARGV[3], tonumber(ARGV[5])
  local version, till, _, writer = found(key)
  if ARGV[8] == 'again' and writer == ARGV[7] then return {1, version} end
  -- Whoever wrote the version in between may have been this writer.
  if ARGV[8] == 'again' and version > from + 1 then return {err = 'GUARD doubt'} end
  if version ~= from then return {0, version} end
  till = max(till, now + tonumber(ARGV[6]))
  local name = prefix .. 't:' .. key
  call('HSET', name, 'v', version + 1, 'e', format('%.0f', till), 't', ARGV[4], 'w', ARGV[7])
  call('PEXPIRE', name, ceil((till - now + SLACK) / 1000))
  call('ZADD', keys, 0, key)
  call('ZADD', ends, format('%.0f', till), key)
  if version == 0 then
    for _, old in ipairs(call('ZRANGEBYSCORE', ends, '-inf', format('%.0f', now), 'LIMIT', 0, FEW_OLD)) do
      drop(old)
    end
  end
  return {1, version + 1}
end

-- Terms: what keys begin with, the key to go on after or nothing, how many at most.
local function scan()
  local start, after, most = ARGV[3], ARGV[4], tonumber(ARGV[5])
  local from, answer = '[' .. start, {}
  if after ~= '' and after >= start then from = '(' .. after end
  repeat
    local names = call('ZRANGEBYLEX', keys, from, '[' .. start .. '\255', 'LIMIT', 0, most)
    for _, key in ipairs(names) do
      from = '(' .. key
      local version, _, text = found(key)
      if version > 0 and #answer < 3 * most then
        answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = key, version, text
      end
    end
  until #names < most or #answer >= 3 * most
  return answer
end

local operations = {read = read, swap = swap, scan = scan}
return operations[ARGV[2]]()
