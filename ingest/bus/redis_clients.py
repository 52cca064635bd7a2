"""The ingest's connections to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource
from shared.bus.server_watch import ServerWatch


@dataclass(frozen=True)
class IngestRedisClients:
    """Two clients of the same Redis; they outlive a leadership.

    A connection in pub/sub mode accepts no other commands, so the subscriber has its own. All
    other work shares the few connections of ``commands``: each command has one of them to itself,
    so the renewal of the lease does not wait behind a batch of the publisher, and Redis may execute
    two commands of the same time in either order.

    ``keyspace`` names the keys and channels. ``watch`` has to run as long as the clients are used.
    """

    commands: Redis
    subscriber: Redis
    keyspace: Keyspace
    watch: ServerWatch


@asynccontextmanager
async def ingest_redis_clients(source: RedisSource) -> AsyncIterator[IngestRedisClients]:
    """Open the connections and close them at the end; each connects at its first command."""
    async with (
        source.client("ingest") as commands,
        source.client("ingest-subscriber", subscriber=True) as subscriber,
    ):
        watch = ServerWatch(source, commands)
        yield IngestRedisClients(commands, subscriber, source.keyspace, watch)
