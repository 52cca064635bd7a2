"""Telling the ingest what is watched here, in claims that expire when this gateway dies."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain

import structlog
from redis.asyncio import Redis

from gateway.hub import Hub
from shared import keys
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5

_GIVEN_BACK = ""

# Redis' own clock, so that gateways whose clocks differ expire alike; the message is the nudge
# that lets the ingest subscribe at once.
_CLAIM = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
local expiry = string.format('%.0f', millis)
local changed = 0
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    changed = changed + redis.call('HDEL', KEYS[1], ARGV[i])
  else
    changed = changed + redis.call('HSET', KEYS[1], ARGV[i], expiry .. ' ' .. ARGV[i + 1])
  end
end
if changed > 0 then redis.call('PUBLISH', KEYS[1], 'changed') end
return changed
"""


class Interest:
    """Claims every topic that the hub holds: at once when it is new, again every five seconds.

    A claim tells the number of viewers. A topic that the hub keeps for a while without any is
    claimed all the same: who comes back must miss nothing.
    """

    def __init__(self, client: Redis, hub: Hub, gateway_id: str) -> None:
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
                renewing = loop.time() >= self._renew_at
                try:
                    await self._tell(renewing=renewing)
                    if renewing:
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
                    await self._send(dict.fromkeys(self._claimed, _GIVEN_BACK))

    async def _tell(self, *, renewing: bool) -> None:
        held = {f"{self._gateway_id} {c.topic}": c.watchers for c in self._hub.channels.values()}
        claims: dict[str, str | int] = dict.fromkeys(self._claimed - held.keys(), _GIVEN_BACK)
        claims |= {
            member: viewers
            for member, viewers in held.items()
            if renewing or member not in self._claimed
        }
        await self._send(claims)
        self._claimed = set(held)

    async def _send(self, claims: Mapping[str, str | int]) -> None:
        if claims:
            pairs = chain.from_iterable(claims.items())
            await self._claim(keys=[keys.INTEREST], args=[keys.INTEREST_MILLISECONDS, *pairs])
