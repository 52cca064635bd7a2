-- Publish a batch in one step, once.
-- KEYS: the fencing counter, the id of the newest published event.
-- ARGV: epoch, seq of the first event and of the last, TTL in ms, life in s of a last value and of a
-- history, prefix of keys and of channels, and the events: for each a line with its form and topic,
-- and a line of JSON with no id.
--   t<topic>                      merge topic, traded just now: value with TTL, last value, message
--   m<topic>                      merge topic: last value, message
--   o<length> <topic>[ <event>]   ordered topic: history of that length, message
--   n <topic>[ <event>]           named event of a merge topic, or a row of many: message
-- One string for the whole batch: separate arguments would cost the ingest more than all the rest.
-- Returns the number of rejected events; -1: none was published, a newer epoch has started.
local epoch, first, last = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ttl, last_life, history_life = ARGV[4], ARGV[5], ARGV[6]
local key_prefix, channel_prefix, events = ARGV[7], ARGV[8], ARGV[9]
local newest, published = unpack(redis.call('MGET', KEYS[1], KEYS[2]))
if newest and tonumber(newest) > tonumber(epoch) then return -1 end
local published_epoch, published_seq = string.match(published or '', '^(%d+)-(%d+)$')
if published_epoch == epoch and tonumber(published_seq) >= first then return 0 end

local find, sub, match, format = string.find, string.sub, string.match, string.format
-- With no prefix a topic is a channel and a key as it is: joining would cost each event a new string.
local brace, bare_key, bare_channel = key_prefix .. '{', key_prefix == '', channel_prefix == ''
redis.call('SET', KEYS[2], epoch .. '-' .. last)
local values, lasts, rejected, seq, at = {}, {}, 0, first, 1
while at <= #events do
  local where_ends = find(events, '\n', at, true)
  local json_ends = find(events, '\n', where_ends + 1, true)
  local how = sub(events, at, at)
  local id = epoch .. '-' .. format('%.0f', seq)
  local json = '{"event_id":"' .. id .. '",' .. sub(events, where_ends + 2, json_ends - 1)
  if how == 't' or how == 'm' then
    local topic = sub(events, at + 1, where_ends - 1)
    local message = id .. '\n' .. json
    if how == 't' then values[topic] = json end
    lasts[topic] = message
    redis.call('PUBLISH', bare_channel and topic or channel_prefix .. topic, message)
  else
    local where = sub(events, at + 1, where_ends - 1)
    local length, topic, event = match(where, '^(%d*) (%S+) ?(%S*)$')
    local stored = true
    if how == 'o' then
      local history = brace .. topic .. '}:history'
      local add = {'XADD', history, 'MAXLEN', '~', length, id, 'data', json}
      if event ~= '' then
        add[#add + 1] = 'event'
        add[#add + 1] = event
      end
      stored = type(redis.pcall(unpack(add))) == 'string'  -- Redis rejects an older id
      if stored then redis.call('EXPIRE', history, history_life) end
    end
    if stored then
      local channel = bare_channel and topic or channel_prefix .. topic
      redis.call('PUBLISH', channel, id .. (event ~= '' and ' ' .. event or '') .. '\n' .. json)
    else
      rejected = rejected + 1
    end
  end
  seq, at = seq + 1, json_ends + 1
end
-- No client can read between two events of a batch, so only the newest value of a topic is written.
for topic, json in pairs(values) do
  redis.call('SET', bare_key and topic or key_prefix .. topic, json, 'PX', ttl)
end
for topic, message in pairs(lasts) do
  redis.call('SET', brace .. topic .. '}:last', message, 'EX', last_life)
end
return rejected
