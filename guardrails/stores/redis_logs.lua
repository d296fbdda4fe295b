-- Logs of sessions.
--
-- n:SESSION  last number, time of the last note, end, bytes kept, and who wrote the last note
-- l:SESSION  list of the notes that are kept

local LOG = '<dddd'

function M.log_of(session)
  local log = {key = prefix .. 'n:' .. session, list = prefix .. 'l:' .. session}
  local raw = call('GET', log.key)
  if raw then log.last, log.mark, log.ends, log.size = unpacked(LOG, raw) end
  if raw and now < log.ends then
    log.writer = raw:sub(33)
  else
    log.last, log.mark, log.ends, log.size, log.writer, log.old = 0, 0, 0, 0, '', raw
  end
  return log
end

-- Write a note that nothing is in the way of; its number.
function M.write(log, note, keep, writer)
  if log.old then call('DEL', log.list) end
  log.mark = max(now, log.mark)
  log.ends, log.last, log.size = max(log.ends, log.mark + keep), log.last + 1, log.size + #note
  local length = call('RPUSH', log.list, note)
  while length > 1 and (length > MOST_NOTES or log.size > MOST_BYTES) do
    log.size, length = log.size - #call('LPOP', log.list), length - 1
  end
  local lasts_for = ceil((log.ends - log.mark + SLACK) / 1000)
  call('SET', log.key, pack(LOG, log.last, log.mark, log.ends, log.size) .. writer, 'PX', lasts_for)
  call('PEXPIRE', log.list, lasts_for)
  return log.last
end
