"""The ingest's connections to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource


@dataclass(frozen=True)
class IngestRedisClients:
    """Three clients of the same Redis; they outlive a leadership.

    A batch of the publisher can take long and a subscriber only listens, so a renewal of the lease
    must not wait behind either of them. Each client is a pool: two commands at the same time have
    two connections, and Redis may execute them in either order. ``keyspace`` names the keys and
    channels.
    """

    commands: Redis
    publisher: Redis
    subscriber: Redis
    keyspace: Keyspace


@asynccontextmanager
async def ingest_redis_clients(source: RedisSource) -> AsyncIterator[IngestRedisClients]:
    """Open the connections and close them at the end; each connects at its first command."""
    async with (
        source.client("ingest") as commands,
        source.client("ingest-publisher") as publisher,
        source.client("ingest-subscriber", subscriber=True) as subscriber,
    ):
        yield IngestRedisClients(commands, publisher, subscriber, source.keyspace)
