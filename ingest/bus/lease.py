"""The claim to be *the* ingest: expiring, renewed, and numbered so that an old one is known."""

import asyncio
import time
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS

log = structlog.get_logger()

RENEW_SECONDS = 0.5

REDIS_AWAY_SECONDS = 30.0
"""So long after the lease has run out, with Redis out of reach, leading is given up: another
ingest may see Redis where this one does not, and needs Alpaca's slot."""

# Whoever held it before takes it back under its old number if nobody else has led meanwhile, and
# not at all if somebody has: what it knows is out of date then.
# A standby that finds neither lease nor counter knows that Redis has lost them, and not that the
# leader is gone, which would keep Alpaca's slot for a moment. It puts a lease of nobody in their
# place, which only who has led may take before it ends, and a counter, so that nobody waits twice.
# A new number is at least Redis' time in ms: it grows even when Redis has lost its counter, and no
# gateway takes the new leader for an old one.
_CLAIM = """
local id, life, mine, follows = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local held, counter = unpack(redis.call('MGET', KEYS[1], KEYS[2]))
local has_led = mine ~= '0'
if held == id .. ' ' .. mine then
  redis.call('PEXPIRE', KEYS[1], life)
  return mine
end
if follows and not (held or counter or has_led) then
  redis.call('SET', KEYS[1], 'nobody 0', 'PX', life)
  redis.call('SET', KEYS[2], '0')
  return false
end
local is_others = held and string.match(held, '^%S+') ~= id
if is_others and not (held == 'nobody 0' and has_led) then return false end
local newest = tonumber(counter or '0')
local epoch = mine
if held or not has_led or newest < tonumber(mine) then
  local now = redis.call('TIME')
  local millis = now[1] * 1000 + math.floor(now[2] / 1000)
  epoch = string.format('%.0f', math.max(newest + 1, tonumber(mine) + 1, millis))
elseif newest > tonumber(mine) then
  return false
end
redis.call('SET', KEYS[2], epoch)
redis.call('SET', KEYS[1], id .. ' ' .. epoch, 'PX', life)
return epoch
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class LeaseLostError(Exception):
    """This process does not lead any more, and what it knows must not be published."""


class Lease:
    """One process's claim. ``epoch`` is its fencing number while it holds.

    ``on_epoch`` hears the number when it is a new one, and again whenever Redis is back after it
    was away: what is stored there may then be older than what was published.

    Nothing may be published once ``valid`` would wait: Redis was out of reach for so long that
    another process may lead.
    """

    def __init__(
        self,
        client: Redis,
        ingest_id: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = 0
        self.on_epoch: Callable[[int], None] = lambda _: None
        self._ingest_id = ingest_id
        self._claim = client.register_script(_CLAIM)
        self._release = client.register_script(_RELEASE)
        self._monotonic = monotonic
        self._valid_until = 0.0
        self._reachable = True
        self._follows = False
        self._renewed = asyncio.Event()

    async def claim(self) -> bool:
        """Take or renew the lease.

        Returns False where another process holds it, or has held it since this one did, or may
        still want it back: it was followed from here, and Redis has lost its lease.

        Raises:
            RedisError, OSError: Redis is away.
        """
        asked = self._monotonic()
        answer = await self._claim(
            keys=[keys.LEASE, keys.EPOCH],
            args=[self._ingest_id, keys.LEASE_MILLISECONDS, self.epoch, int(self._follows)],
        )
        if answer is None:
            self._follows = True
            self._valid_until = 0.0
            return False
        self._valid_until = asked + keys.LEASE_MILLISECONDS / 1000
        epoch = int(answer)
        if epoch != self.epoch:
            log.info("lease taken", epoch=epoch)
        if epoch != self.epoch or not self._reachable:
            self.epoch, self._reachable = epoch, True
            self.on_epoch(epoch)
        self._renewed.set()
        return True

    async def renew(self) -> None:
        """Renew until cancelled, through losses of Redis that are not too long.

        Raises:
            LeaseLostError: another process leads or has led, or Redis was away for too long.
        """
        while True:
            reachable = self._reachable
            try:
                if not await self.claim():
                    raise LeaseLostError("another ingest leads")
                if not reachable:
                    log.info("redis connected")
            except REDIS_ERRORS as error:
                if reachable:
                    log.warning("redis lost", error=str(error) or type(error).__name__)
                self._reachable = False
                if self._monotonic() - self._valid_until > REDIS_AWAY_SECONDS:
                    raise LeaseLostError("redis was away for too long") from error
            await asyncio.sleep(RENEW_SECONDS)

    async def valid(self) -> int:
        """Wait until the lease is certainly held, and return its epoch."""
        while self._monotonic() >= self._valid_until:
            self._renewed.clear()
            await self._renewed.wait()
        return self.epoch

    async def release(self) -> None:
        """Give the lease to whoever waits for it, if it is held.

        Raises:
            RedisError, OSError: Redis is away; the lease expires by itself.
        """
        self._valid_until = 0.0
        await self._release(keys=[keys.LEASE], args=[f"{self._ingest_id} {self.epoch}"])
