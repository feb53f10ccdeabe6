-- Keeps the hash of live streams right, in whatever order and however often events come.
-- KEYS[1] is the hash: stream key -> JSON list of its live sessions. Then come three keys for each event: the set of the live
-- streams of its domain, the live sessions of its stream, and the ended ones.
-- ARGV holds the channel (or ''), and then for each event: stream key, sequence, kind, id, time in ms, and the session as JSON.
local KEPT = 1000            -- the ended sessions of a stream that are remembered
local KEPT_SECS = 2592000    -- for how long

for position = 2, #ARGV, 6 do
  local place = 2 + (position - 2) / 2
  local domain, live, ended = KEYS[place], KEYS[place + 1], KEYS[place + 2]
  local stream, sequence, kind = ARGV[position], ARGV[position + 1], ARGV[position + 2]
  local id, ms, session = ARGV[position + 3], ARGV[position + 4], ARGV[position + 5]
  local changed = false
  local score = redis.call('ZSCORE', ended, sequence)
  if kind == 'end' then
    if not score or tonumber(ms) < tonumber(score) then
      redis.call('ZADD', ended, ms, sequence)
      redis.call('ZREMRANGEBYRANK', ended, 0, -KEPT - 1)
    end
    redis.call('EXPIRE', ended, KEPT_SECS)
    changed = redis.call('HDEL', live, sequence) == 1
  else
    -- A session that began before every remembered end may have ended and be forgotten.
    if not score and redis.call('ZCARD', ended) >= KEPT then
      local oldest = redis.call('ZRANGE', ended, 0, 0, 'WITHSCORES')
      score = tonumber(ms) <= tonumber(oldest[2]) and ms
    end
    -- A push says more than an anomaly. Of two pushes, the one with the smaller id came first.
    local head = (kind == 'push' and '0' or '1') .. id
    local known = redis.call('HGET', live, sequence)
    if not score and (not known or head < known:sub(1, #head)) then
      redis.call('HSET', live, sequence, head .. session)
      changed = true
    end
  end
  if changed then
    local sessions = redis.call('HVALS', live)
    table.sort(sessions)
    local first = #id + 2
    for number, entry in ipairs(sessions) do sessions[number] = entry:sub(first) end
    local list = '[' .. table.concat(sessions, ',') .. ']'
    if #sessions == 0 then
      redis.call('HDEL', KEYS[1], stream)
      redis.call('SREM', domain, stream)
    else
      redis.call('HSET', KEYS[1], stream, list)
      redis.call('SADD', domain, stream)
    end
    if ARGV[1] ~= '' then
      redis.call('PUBLISH', ARGV[1], '{"stream":' .. cjson.encode(stream) .. ',"sessions":' .. list .. '}')
    end
  end
end
return #ARGV
