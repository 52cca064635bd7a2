"""Reading what the gateways watch: at each nudge, and every second for what has expired."""

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ResponseError

from ingest.demand.wanted import Demand
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS

log = structlog.get_logger()

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
SUBSCRIBE_SECONDS = 2.0

SPACING_SECONDS = 0.02
"""Nudges that come closer together than this are one reading."""

# A claim of another form counts as expired. Returns topic, viewers, topic, viewers, …
_READ = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local claims = redis.call('HGETALL', KEYS[1])
local viewers, topics = {}, {}
for i = 1, #claims, 2 do
  local expiry, count = string.match(claims[i + 1], '^(%d+) (%d+)$')
  local topic = string.match(claims[i], '^%S+ (.+)$')
  if topic and expiry and tonumber(expiry) > millis then
    if not viewers[topic] then topics[#topics + 1] = topic end
    viewers[topic] = (viewers[topic] or 0) + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], claims[i])
  end
end
local answer = {}
for _, topic in ipairs(topics) do
  answer[#answer + 1] = topic
  answer[#answer + 1] = viewers[topic]
end
return answer
"""


class Interest:
    """Keeps the demand equal to the living claims in Redis."""

    def __init__(self, client: Redis, subscriber: Redis, demand: Demand) -> None:
        self._subscriber = subscriber
        self._demand = demand
        self._script = client.register_script(_READ)

    async def run(self) -> None:
        """Read until cancelled; while Redis is away the demand stays as it was."""
        while True:
            try:
                await self._follow()
            except ResponseError as error:
                log.warning("redis refuses to tell the interest", error=str(error))
            except (*REDIS_ERRORS, RuntimeError):  # the lease reports the loss
                pass
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        pubsub = self._subscriber.pubsub()
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await pubsub.subscribe(keys.INTEREST)
            while True:
                await self._read()
                await asyncio.sleep(SPACING_SECONDS)
                await _nudge(pubsub)
        finally:
            with suppress(*REDIS_ERRORS, RuntimeError):
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await pubsub.unsubscribe()  # fakeredis feeds a subscriber for ever otherwise
            with suppress(*REDIS_ERRORS, RuntimeError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _read(self) -> None:
        answer = await self._script(keys=[keys.INTEREST])
        topics, viewers = answer[::2], answer[1::2]
        self._demand.update(
            {topic.decode(): int(count) for topic, count in zip(topics, viewers, strict=True)}
        )


async def _nudge(pubsub: PubSub) -> None:
    """Wait for a nudge, or until a reading is due without one; take all that have come."""
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_SECONDS):
            await pubsub.get_message(timeout=None)
    while await pubsub.get_message(timeout=0) is not None:
        pass
