-- Adds events to a stream, each under an id of its own. Stops at the first one that can't be added.
-- KEYS[1] is the stream. ARGV holds the generation and the length to keep (or ''), and then for each event its offset, id, type
-- and text.
-- Returns how many events are in the stream now, the error of the next event, and the last id that the stream has given.
local function last_id()
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  for position = 1, #info, 2 do
    if info[position] == 'last-generated-id' then return info[position + 1] end
  end
  return ''
end

local done = 0
for position = 3, #ARGV, 4 do
  local entry = ARGV[1] .. '-' .. ARGV[position]
  local command = { 'XADD', KEYS[1] }
  if ARGV[2] ~= '' then
    command = { 'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2] }
  end
  for _, value in ipairs({ entry, 'id', ARGV[position + 1], 'type', ARGV[position + 2], 'event', ARGV[position + 3] }) do
    command[#command + 1] = value
  end
  local added = redis.pcall(unpack(command))
  if type(added) == 'table' and added.err then
    -- An earlier try may have added it, although its answer got lost.
    local found = redis.pcall('XRANGE', KEYS[1], entry, entry)
    local is_there = found[1] and found[1][2][2] == ARGV[position + 1]
    if not is_there then return { done, added.err, last_id() } end
  end
  done = done + 1
end
return { done, '', '' }
