-- Publish a batch, once. The mark that it is done is written last.
-- KEYS: the fencing counter, the id of the newest published event, the beginnings of the histories,
-- since when Redis has data.
-- ARGV: epoch, seq of the first event and of the last, the newest id that Redis has confirmed to
-- this leader and the newest one of an ordered event ('' at its first batch), '1' if the run of the
-- server is to be compared, TTL in ms, life in s of a last value and of a history, prefix of keys and
-- of channels, the channel of the ingest's status, and the events: for each a line with its form and
-- topic, and a line of JSON with no id.
--   t<topic>                      merge topic, traded just now: value with TTL, last value, message
--   m<topic>                      merge topic: last value, message
--   o<length> <topic>[ <event>]   ordered topic: history of that length, message
--   n <topic>[ <event>]           named event of a merge topic, or a row of many: message
--   r<length> <topic> <start> <bound>  running bar: set of bars, message
--   b<length> <topic> <start> <bound>  ended bar: the same, and the history
-- One string for the whole batch: separate arguments would cost the ingest more than all the rest.
-- Returns -1 if none was published, because a newer epoch has started; 'ahead <seq>' if none was,
-- because a later event of the same epoch is marked as published; the seq of the newest ordered
-- event if everything was, 0 if there is none; else a line for each problem: the place of the event
-- in the batch, 'rejected' or 'aside', Redis' answer.
local epoch, first, last = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ttl, last_life, history_life = ARGV[6], ARGV[7], ARGV[8]
local key_prefix, channel_prefix, status_channel, events = ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local find, sub, match, format = string.find, string.sub, string.match, string.format
local confirmed, confirmed_ordered = match(ARGV[4], '^(%S+) (%S+)$')
local newest, published = unpack(redis.call('MGET', KEYS[1], KEYS[2]))
-- Another program may have written something else there: see claim.lua.
local fence = tonumber(match(newest or '', '^%d+$') or '') or 0
if fence > tonumber(epoch) and fence < 1e15 then return -1 end

local function numbers(id)
  local of_epoch, seq = match(id or '', '^(%d+)-(%d+)$')
  if seq and #seq > 15 then return nil, 0 end  -- no leader has counted so far
  return of_epoch, tonumber(seq or 0)
end
local function is_older(id, other)
  local id_epoch, id_seq = numbers(id)
  local other_epoch, other_seq = numbers(other)
  if id_epoch == other_epoch then return id_seq < other_seq end
  return tonumber(id_epoch or 0) < tonumber(other_epoch or 0)
end
local done, published_epoch, published_seq = epoch .. '-' .. last, numbers(published)
if published_epoch == epoch and published_seq >= first then
  -- This call is late and nothing waits for its answer; or another program has written the mark.
  if published_seq ~= tonumber(last) then return 'ahead ' .. format('%.0f', published_seq) end
  -- The answer was lost, and it may have named problems.
  local of_batch, problems = match(redis.call('HGET', KEYS[3], '.problems') or '', '^(%S+)\n(.*)$')
  return of_batch == done and problems or tonumber(last)  -- any of its events may be ordered
end

-- The first write: a Redis that accepts none at present rejects it, with nothing of the batch done.
redis.call('HSET', KEYS[3], '.begun', done)
local since, noted_run = unpack(redis.call('HMGET', KEYS[3], '.since', '.run'))
-- A copy of Redis' data that lacks events which Redis had confirmed is an older one. A new leader
-- cannot compare; it only sees that the server has started again, or is another one.
local is_behind = confirmed and is_older(published, confirmed)
-- The run is asked for here: the server may have started again since the leader has asked.
local run
if not since or ARGV[5] == '1' then
  local facts = redis.pcall('INFO', 'server')  -- a hosted server may forbid it
  run = type(facts) == 'string' and match(facts, 'run_id:(%x+)')
end
local is_unsure = not confirmed and run and noted_run ~= run
if not since or is_behind or is_unsure then
  -- A leader knows the newest event before the loss; a new one that it has published none so far.
  since = confirmed_ordered or epoch .. '-0'
  redis.call('HSET', KEYS[3], '.since', since)
  -- Gateways may have read this older copy, and taken it for all that there was.
  if published then
    local now = redis.call('TIME')
    redis.call('SET', KEYS[4], format('%.0f', (now[1] + now[2] / 1e6) * 1e9))
    redis.pcall('PUBLISH', status_channel, since .. ' histories_lost\n{}')
  end
end
if run and noted_run ~= run then redis.call('HSET', KEYS[3], '.run', run) end

-- '%d' costs a tenth of '%.0f', and has 32 bits on some machines.
local function id_of(seq)
  if seq < 1e9 then return format('%s-%d', epoch, seq) end
  local low = seq % 1e9
  return format('%s-%d%09d', epoch, (seq - low) / 1e9, low)
end

local problems = {}
local function note(place, what, err)
  problems[#problems + 1] = format('%.0f', place) .. ' ' .. what .. ' ' .. string.gsub(err, '%s+', ' ')
end
local function error_of(answer) return tostring(type(answer) == 'table' and answer.err) end

-- Store an event that its history did not accept: there is none yet, or it is not ours.
-- Returns whether it is stored.
local function store_otherwise(topic, add, answer, place)
  local history, id = add[2], add[7]
  local known = redis.pcall('HGET', KEYS[3], topic)
  local complete_after = since
  if answer then
    local err = error_of(answer)
    local is_old, is_other = find(err, 'equal or smaller', 1, true), find(err, 'WRONGTYPE', 1, true)
    -- The answer if the newest entry has the highest id that there is.
    is_other = is_other or find(err, 'exhausted the last possible ID', 1, true)
    if not (is_old or is_other) then
      note(place, 'rejected', err)
      return false
    end
    -- Sent again after an attempt that ended half-way.
    local present = is_old and redis.pcall('XRANGE', history, id, id)
    if present and #present > 0 then return true end
    -- An entry that we have not written would make the history refuse ours until somebody deletes
    -- it. The history is kept for a person to look at, and another one starts.
    local moved = redis.pcall('RENAME', history, history .. ':aside')
    if not moved.ok then
      note(place, 'rejected', error_of(moved))
      return false
    end
    redis.pcall('EXPIRE', history .. ':aside', history_life)
    note(place, 'aside', err)
    complete_after = epoch .. '-' .. format('%.0f', first + place - 1)
  elseif type(known) == 'string' then
    -- It has expired if its newest event was noted before. Otherwise it was evicted or deleted.
    local noted = match(known, '^%d+%-%d+ %d+%-%d+ (%d+%-%d+)$')
    complete_after = noted or epoch .. '-' .. format('%.0f', first + place - 1)
    if is_older(complete_after, since) then complete_after = since end
  end
  redis.pcall('HSET', KEYS[3], topic, complete_after .. ' ' .. id)
  table.remove(add, 3)  -- NOMKSTREAM
  answer = redis.pcall(unpack(add))
  if type(answer) == 'string' then return true end
  note(place, 'rejected', error_of(answer))
  return false
end

-- Put a bar into the set of its topic, in place of its earlier version. Returns whether it is there.
-- ``bound``: how many bars stay; false for a running one, after which nothing is trimmed.
local sets = {}
local function store_bar(call, topic, start, bound, message, place)
  local set = key_prefix .. '{' .. topic .. '}:bars'
  call('ZREMRANGEBYSCORE', set, start, start)
  local added = call('ZADD', set, start, message)
  if type(added) ~= 'number' then
    local err = error_of(added)
    local moved = find(err, 'WRONGTYPE', 1, true) and redis.pcall('RENAME', set, set .. ':aside')
    -- The key of another program is kept for a person to look at, as a history is.
    if moved and moved.ok then
      redis.pcall('EXPIRE', set .. ':aside', history_life)
      note(place, 'aside', err)
      added = redis.pcall('ZADD', set, start, message)
    end
    if type(added) ~= 'number' then
      note(place, 'rejected', error_of(added))
      return false
    end
  end
  sets[set] = bound or sets[set] or false
  return true
end

-- With no prefix a topic is a channel and a key as it is: joining would cost each event a new string.
local brace, bare_key, bare_channel = key_prefix .. '{', key_prefix == '', channel_prefix == ''
local traded, lasts, histories, ordered, seq, at = {}, {}, {}, 0, first, 1
-- ``seq`` and ``at`` are those of the next event, so that a second run starts with the one that failed.
local function publish(call)
  while at <= #events do
    local where_ends = find(events, '\n', at, true)
    local json_ends = find(events, '\n', where_ends + 1, true)
    local how = sub(events, at, at)
    local id = id_of(seq)
    local topic, message
    if how == 't' or how == 'm' then
      topic = sub(events, at + 1, where_ends - 1)
      message = id .. '\n{"event_id":"' .. id .. '",' .. sub(events, where_ends + 2, json_ends - 1)
      if how == 't' then traded[topic] = true end
      lasts[topic] = message
    else
      local json = '{"event_id":"' .. id .. '",' .. sub(events, where_ends + 2, json_ends - 1)
      local length, event, start, bound
      local where = sub(events, at + 1, where_ends - 1)
      local is_bar = how == 'r' or how == 'b'
      if is_bar then
        length, topic, start, bound = match(where, '^(%d+) (%S+) (%d+) (%d+)$')
        event = how == 'r' and 'running' or ''
      else
        length, topic, event = match(where, '^(%d*) (%S+) ?(%S*)$')
      end
      message = id .. (event ~= '' and ' ' .. event or '') .. '\n' .. json
      local stored = not is_bar or store_bar(call, topic, start, how == 'b' and bound, message, seq - first)
      if how == 'o' or how == 'b' and stored then
        ordered = seq
        local history = brace .. topic .. '}:history'
        local add = {'XADD', history, 'NOMKSTREAM', 'MAXLEN', '~', length, id, 'data', json}
        if event ~= '' then
          add[#add + 1] = 'event'
          add[#add + 1] = event
        end
        local answer = call(unpack(add))
        stored = type(answer) == 'string' or store_otherwise(topic, add, answer, seq - first)
        if stored then histories[topic] = history end
      end
      -- What the history lacks is not sent: a client could not get it again.
      if not stored then message = nil end
    end
    if message then
      -- One channel that is forbidden must not cost the others their events.
      local sent = call('PUBLISH', bare_channel and topic or channel_prefix .. topic, message)
      if type(sent) ~= 'number' then note(seq - first, 'rejected', error_of(sent)) end
    end
    seq, at = seq + 1, json_ends + 1
  end
end
-- An error of redis.call ends the run, and redis.pcall returns it, which costs more. So the usual case
-- has the former, and the latter starts where that ended.
if not pcall(publish, redis.call) then publish(redis.pcall) end

local topics = {}
for topic, history in pairs(histories) do
  redis.pcall('EXPIRE', history, history_life)
  topics[#topics + 1] = topic
end
-- An idle history has its newest event noted, and this batch has a newer one: if the note stayed and
-- somebody deleted the history, the events since would be missed by nobody.
local notes = #topics > 0 and redis.pcall('HMGET', KEYS[3], unpack(topics)) or {}
for place, topic in ipairs(topics) do
  local note_of = notes[place]
  local begun = type(note_of) == 'string' and match(note_of, '^(%d+%-%d+ %d+%-%d+) ')
  if begun then redis.pcall('HSET', KEYS[3], topic, begun) end
end
for set, bound in pairs(sets) do
  if bound then redis.pcall('ZREMRANGEBYRANK', set, 0, -bound - 1) end
  redis.pcall('EXPIRE', set, history_life)
end
-- No client can read between two events of a batch, so only the newest value of a topic is written.
local function write(topic, key, value, unit, life)
  local answer = redis.pcall('SET', key, value, unit, life)
  if answer.ok then return end
  local _, place = numbers(match(lasts[topic], '^%d+%-%d+'))
  note(place - first, 'rejected', error_of(answer))
end
for topic, message in pairs(lasts) do
  if traded[topic] then
    local json = sub(message, find(message, '\n', 1, true) + 1)
    write(topic, bare_key and topic or key_prefix .. topic, json, 'PX', ttl)
  end
  write(topic, brace .. topic .. '}:last', message, 'EX', last_life)
end

local answer = ordered
if #problems > 0 then
  answer = table.concat(problems, '\n')
  redis.call('HSET', KEYS[3], '.problems', done .. '\n' .. answer)
end
redis.call('SET', KEYS[2], done)
return answer
