-- Take or renew the lease.
-- KEYS: the lease, the fencing counter, the account's mark, the mark of a standby.
-- ARGV: the ingest, the life of a lease in ms, its number of the lease ('0' if it has none), '1' if it
-- has followed a leader, its account ('' if it has none to distinguish), its reach, until when (Redis'
-- time in ms) it may get a new lease ('' for any time), the life of the mark of a standby in ms.
-- Returns '<number> <reach of a standby, or none>' if it holds the lease, 'owned by <mark>' if Redis
-- has the data of another account, else 'led <Redis' time in ms>[ endless][ unreachable]'.
--
-- A holder that was disconnected gets its lease back under the same number. It does not if another
-- ingest has led in the meantime: its prices and holdings would be out of date.
--
-- A standby that finds neither lease nor counter knows that Redis was emptied, not that the leader
-- has died. To take over would contend for Alpaca's slot while the leader still uses it. So the
-- standby stores the placeholder 'nobody 0', which only an ingest that has led may replace before it
-- expires. It also stores a counter, so that a second standby does not wait all over again.
--
-- A leader that is killed closes its connections: nobody subscribes to its channel any more. Redis
-- shows that before the lease ends. A leader that is paused, or whose packets vanish, looks connected
-- for longer than the lease lasts. One that was only disconnected is back before it misses renewals.
--
-- Redis keeps the account's mark when the lease expires. Otherwise an ingest of another account
-- would take over while ours restarts, and clients would see its account and its prices. The mark is
-- only set when Alpaca has confirmed the key: a mistyped one must not lock the right one out.
--
-- A new number is at least Redis' time in ms, so that it increases even if Redis has lost the
-- counter. Gateways would discard the events of a leader with a lower number.
local id, life, mine, follows, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]
local reach, not_after, standby_life = ARGV[6], tonumber(ARGV[7]), ARGV[8]
local unrenewed, leaders_channel = tonumber(ARGV[9]), ARGV[10]
local current, counter, marked, standby = unpack(redis.call('MGET', unpack(KEYS)))
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local key, account, host, feed = string.match(owner, '^(%S+) (%S+) (%S+) (%S+)$')
local its_key, its_account, its_host = string.match(marked or '', '^(%S+) (%S+) (%S+) %S+$')
if key and its_key then
  local is_same = key == its_key or account ~= '-' and account == its_account
  if host ~= its_host or not is_same then return 'owned by ' .. marked end
end
local function hold(epoch)
  local claimed = id .. ' ' .. epoch
  if key then claimed = claimed .. ' ' .. owner end
  if reach == 'unreachable' then claimed = claimed .. ' unreachable' end
  -- A Redis without memory rejects SET, but a leader must keep its lease.
  if current == claimed then redis.call('PEXPIRE', KEYS[1], life)
  else redis.call('SET', KEYS[1], claimed, 'PX', life) end
  if key and account ~= '-' and owner ~= marked then redis.call('SET', KEYS[3], owner) end
  if epoch ~= mine then
    redis.call('DEL', KEYS[4])
    standby = nil
  end
  return epoch .. ' ' .. (standby or 'none')
end
local function refuse()
  -- One of several standbys that reaches Alpaca is enough. A Redis without memory refuses this.
  if reach == 'reaches' or standby ~= 'reaches' then
    redis.pcall('SET', KEYS[4], reach, 'PX', standby_life)
  end
  -- No ingest writes a lease that lasts longer. Until somebody deleted it, nobody would lead.
  local left = redis.call('PTTL', KEYS[1])
  local is_endless = left == -1 or left > tonumber(life)
  if is_endless then redis.call('PEXPIRE', KEYS[1], life) end
  return 'led ' .. millis .. (is_endless and ' endless' or '')
    .. (string.match(current or '', ' unreachable$') or '')
end
local has_led = mine ~= '0'
-- Another program may have written something else there. Lua would read "inf" and "1e400" too, and
-- counts exactly up to 2^53 only: a number of more than 15 digits was not written by a leader.
local newest = tonumber(string.match(counter or '', '^%d+$') or '') or 0
if newest >= 1e15 then newest = 0 end
if string.match(current or '', '^%S+ %d+') == id .. ' ' .. mine then
  -- Somebody has deleted or changed the counter. A gateway would take the events for another's.
  if newest < tonumber(mine) then redis.pcall('SET', KEYS[2], mine) end
  return hold(mine)
end
if follows and not (current or counter or has_led) then
  redis.call('SET', KEYS[1], 'nobody 0', 'PX', life)
  redis.call('SET', KEYS[2], '0')
  return refuse()
end
if not_after and millis > not_after then return refuse() end
local function has_died()
  if not unrenewed or redis.call('PTTL', KEYS[1]) > life - unrenewed then return false end
  local answer = redis.pcall('PUBSUB', 'NUMSUB', leaders_channel)
  return answer[2] == 0  -- no answer if this user may not ask
end
local is_others = current and string.match(current, '^%S+') ~= id and not has_died()
if is_others and not (current == 'nobody 0' and has_led) then return refuse() end
local epoch = mine
if current or not has_led or newest < tonumber(mine) then
  epoch = string.format('%.0f', math.max(newest + 1, tonumber(mine) + 1, millis))
elseif newest > tonumber(mine) then
  return refuse()
end
redis.call('SET', KEYS[2], epoch)
return hold(epoch)
