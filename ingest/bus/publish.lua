-- Publish a batch: per event the value with its TTL, the last value, and the message, in one step.
-- KEYS: topic, last key, …   ARGV: epoch, TTL in ms, life of the last value in s,
-- then per event: seq, JSON, '1' if it traded just now.
-- An event that is not newer than the stored one is refused; so a batch may be sent twice.
local epoch = tonumber(ARGV[1])
local refused = 0
for i = 1, #KEYS / 2 do
  local topic, last = KEYS[2 * i - 1], KEYS[2 * i]
  local seq, json, traded = ARGV[3 * i + 1], ARGV[3 * i + 2], ARGV[3 * i + 3]
  local stored = redis.pcall('GETRANGE', last, 0, 48)  -- a key of another type is overwritten
  if type(stored) ~= 'string' then stored = '' end
  local stored_epoch, stored_seq = string.match(stored, '^(%d+)-(%d+)\n')
  stored_epoch = tonumber(stored_epoch or '-1')
  if epoch > stored_epoch or (epoch == stored_epoch and tonumber(seq) > tonumber(stored_seq)) then
    local message = ARGV[1] .. '-' .. seq .. '\n' .. json
    if traded == '1' then
      redis.call('SET', topic, json, 'PX', ARGV[2])
    end
    redis.call('SET', last, message, 'EX', ARGV[3])
    redis.call('PUBLISH', topic, message)
  else
    refused = refused + 1
  end
end
return refused
