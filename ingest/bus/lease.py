"""The claim to be *the* ingest: expiring, renewed, and numbered so that an old one is known."""

import asyncio
import time
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from shared import keys
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

RENEW_SECONDS = 0.5

# The epoch is at least Redis' time in ms: it grows even when Redis has lost its counter, and no
# gateway takes the new leader for an old one.
_CLAIM = """
local held = redis.call('GET', KEYS[1])
if held then
  local holder, epoch = string.match(held, '^(%S+) (%d+)$')
  if holder ~= ARGV[1] then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return epoch
end
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local newest = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[3]))
local epoch = math.max(newest + 1, millis)
epoch = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], epoch)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. epoch, 'PX', ARGV[2])
return epoch
"""

_RELEASE = """
if string.match(redis.call('GET', KEYS[1]) or '', '^%S+') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class LeaseLostError(Exception):
    """Another ingest leads."""


class Lease:
    """One process's claim. ``epoch`` is its fencing number while it holds; ``on_epoch`` hears it.

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
        self._renewed = asyncio.Event()

    async def claim(self) -> bool:
        """Take or renew the lease; return False where another process holds it.

        Raises:
            RedisError, OSError: Redis is away.
        """
        asked = self._monotonic()
        answer = await self._claim(
            keys=[keys.LEASE, keys.EPOCH],
            args=[self._ingest_id, keys.LEASE_MILLISECONDS, self.epoch],
        )
        if answer is None:
            self._valid_until = 0.0
            return False
        self._valid_until = asked + keys.LEASE_MILLISECONDS / 1000
        if int(answer) != self.epoch:
            self.epoch = int(answer)
            log.info("lease taken", epoch=self.epoch)
            self.on_epoch(self.epoch)
        self._renewed.set()
        return True

    async def renew(self) -> None:
        """Renew until cancelled, through every loss of Redis.

        Raises:
            LeaseLostError: another process holds it.
        """
        reachable = True
        while True:
            try:
                if not await self.claim():
                    raise LeaseLostError
                if not reachable:
                    log.info("redis connected")
                reachable = True
            except REDIS_ERRORS as error:
                if reachable:
                    log.warning("redis lost", error=str(error) or type(error).__name__)
                reachable = False
            await asyncio.sleep(RENEW_SECONDS)

    async def valid(self) -> int:
        """Wait until the lease is certainly held, and return its epoch."""
        while self._monotonic() >= self._valid_until:
            self._renewed.clear()
            await self._renewed.wait()
        return self.epoch

    async def release(self) -> None:
        """Give the lease to whoever waits for it.

        Raises:
            RedisError, OSError: Redis is away; the lease expires by itself.
        """
        self._valid_until = 0.0
        await self._release(keys=[keys.LEASE], args=[self._ingest_id])
