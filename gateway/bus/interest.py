"""Telling the ingest what is watched here, in claims that expire when this gateway dies."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain

import structlog
from redis.asyncio import Redis

from gateway.bus.last_values import LastValues
from gateway.fanout.hub import Hub
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS
from shared.waiting import wait_at_most

log = structlog.get_logger()

RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5

_GIVEN_BACK = ""

# Redis' own clock, so that gateways whose clocks differ expire alike; the message is the nudge
# that lets the ingest subscribe at once. Nothing is claimed where the witness, an earlier claim, is
# gone: Redis has lost its data then.
_CLAIM = """
local witness = ARGV[2]
if witness ~= '' and redis.call('HEXISTS', KEYS[1], witness) == 0 then return -1 end
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
local expiry = string.format('%.0f', millis)
local changed = 0
for i = 3, #ARGV, 2 do
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

    Where Redis may have lost its data, the values shown here are written back before anything is
    claimed: the ingest reads what is stored when it first hears of a topic.
    """

    def __init__(self, client: Redis, hub: Hub, gateway_id: str) -> None:
        self._hub = hub
        self._gateway_id = gateway_id
        self._claim = client.register_script(_CLAIM)
        self._values = LastValues(client, hub)
        self._claimed: set[str] = set()
        self._changed = asyncio.Event()
        self._renew_at = 0.0
        self._forgotten = False

    def topics_changed(self) -> None:
        """Claim what is new and give back what is not watched any more."""
        self._changed.set()

    def redis_connected(self) -> None:
        """Write back and claim everything: a Redis that was started anew knows nothing."""
        self._forgotten = True
        self._changed.set()

    def epoch_began(self) -> None:
        """Claim everything now: a new leader may have found an empty Redis."""
        self._renew_at = 0.0
        self._changed.set()

    async def run(self) -> None:
        """Renew until cancelled, then give everything back."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._changed.clear()
                try:
                    await self._tell(loop.time())
                    pause = self._renew_at - loop.time()
                except REDIS_ERRORS:  # the subscriber reports the loss
                    self._forgotten = True
                    pause = RETRY_SECONDS
                await wait_at_most(self._changed, pause)
        finally:
            with suppress(*REDIS_ERRORS, TimeoutError):
                async with asyncio.timeout(1):
                    await self._send(dict.fromkeys(self._claimed, _GIVEN_BACK))

    async def _tell(self, now: float) -> None:
        forgotten, self._forgotten = self._forgotten, False
        renewing = forgotten or now >= self._renew_at
        if renewing:
            self._renew_at = now + RENEW_SECONDS
        if forgotten:
            await self._values.write_back()
        held = {f"{self._gateway_id} {c.topic}": c.watchers for c in self._hub.channels.values()}
        claims: dict[str, str | int] = dict.fromkeys(self._claimed - held.keys(), _GIVEN_BACK)
        claims |= {
            member: viewers
            for member, viewers in held.items()
            if renewing or member not in self._claimed
        }
        witness = "" if forgotten else next(iter(self._claimed), "")
        if await self._send(claims, witness):
            self._claimed = set(held)
        else:
            log.warning("redis has lost its data; writing back what is known", topics=len(held))
            self.redis_connected()

    async def _send(self, claims: Mapping[str, str | int], witness: str = "") -> bool:
        """Claim and give back; return False, and do neither, where the witness is gone."""
        if not claims:
            return True
        pairs = chain.from_iterable(claims.items())
        arguments = [keys.INTEREST_MILLISECONDS, witness, *pairs]
        return int(await self._claim(keys=[keys.INTEREST], args=arguments)) >= 0
