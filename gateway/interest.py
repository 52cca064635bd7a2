"""Telling the ingest what is watched here, in claims that expire when this gateway dies."""

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from gateway.hub import Hub
from shared import keys
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5

# Redis' own clock, so that gateways whose clocks differ expire alike; the message is the nudge
# that lets the ingest subscribe at once.
_CLAIM = """
local now = redis.call('TIME')
local expiry = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
local new = 0
for i = 2, #ARGV do
  new = new + redis.call('ZADD', KEYS[1], expiry, ARGV[i])
end
if new > 0 then redis.call('PUBLISH', KEYS[1], 'new') end
return new
"""


class Interest:
    """Claims every topic that the hub holds: at once when it is new, again every five seconds."""

    def __init__(self, client: Redis, hub: Hub, gateway_id: str) -> None:
        self._client = client
        self._hub = hub
        self._gateway_id = gateway_id
        self._claim = client.register_script(_CLAIM)
        self._claimed: set[str] = set()
        self._changed = asyncio.Event()
        self._renew_at = 0.0

    def topics_changed(self) -> None:
        """Claim what is new and give back what is not watched any more."""
        self._changed.set()

    def redis_connected(self) -> None:
        """Claim everything: a Redis that was started anew knows nothing."""
        self._renew_at = 0.0
        self._changed.set()

    async def run(self) -> None:
        """Renew until cancelled, then give everything back."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._changed.clear()
                try:
                    if loop.time() < self._renew_at:
                        await self._claim_new()
                    else:
                        await self._claim_all()
                        self._renew_at = loop.time() + RENEW_SECONDS
                    pause = self._renew_at - loop.time()
                except REDIS_ERRORS:  # the subscriber reports the loss
                    pause = RETRY_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
        finally:
            with suppress(*REDIS_ERRORS, TimeoutError):
                async with asyncio.timeout(1):
                    await self._release(self._claimed)

    async def _claim_new(self) -> None:
        wanted = self._wanted()
        await self._release(self._claimed - wanted)
        await self._extend(wanted - self._claimed)
        self._claimed = wanted

    async def _claim_all(self) -> None:
        wanted = self._wanted()
        await self._release(self._claimed - wanted)
        await self._extend(wanted)
        self._claimed = wanted

    async def _extend(self, members: set[str]) -> None:
        if members:
            await self._claim(keys=[keys.INTEREST], args=[keys.INTEREST_MILLISECONDS, *members])

    async def _release(self, members: set[str]) -> None:
        if members:
            await self._client.zrem(keys.INTEREST, *members)

    def _wanted(self) -> set[str]:
        return {f"{self._gateway_id} {each.topic}" for each in self._hub.channels.values()}
