"""Reading what the gateways watch: at each nudge, and every second for what has expired."""

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from ingest.demand.wanted import Demand
from shared import keys
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5

_READ = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', millis))
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class Interest:
    """Keeps the demand equal to the living claims in Redis."""

    def __init__(self, client: Redis, subscriber: Redis, demand: Demand) -> None:
        self._subscriber = subscriber
        self._demand = demand
        self._read = client.register_script(_READ)

    async def run(self) -> None:
        """Read until cancelled; while Redis is away the demand stays as it was."""
        while True:
            with suppress(*REDIS_ERRORS, RuntimeError):  # the lease reports the loss
                await self._follow()
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        pubsub = self._subscriber.pubsub()
        try:
            await pubsub.subscribe(keys.INTEREST)
            while True:
                members = await self._read(keys=[keys.INTEREST])
                self._demand.update(member.decode().partition(" ")[2] for member in members)
                received = await pubsub.get_message(timeout=POLL_SECONDS)
                while received is not None:  # many nudges are one reading
                    received = await pubsub.get_message(timeout=0)
        finally:
            with suppress(*REDIS_ERRORS, RuntimeError):
                await pubsub.unsubscribe()
            with suppress(*REDIS_ERRORS, RuntimeError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]
