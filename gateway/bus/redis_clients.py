"""The gateway's connections to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from gateway.bus.barrier import Barrier
from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource
from shared.bus.server_watch import ServerWatch


@dataclass(frozen=True)
class GatewayRedisClients:
    """Two clients of the same Redis; each connects at its first command.

    A connection in pub/sub mode accepts no other commands, so the subscriber has its own. All
    other work shares the few connections of ``commands``: each command has one of them to itself,
    so no request waits behind the reading of thousands of values after a loss of Redis.

    ``keyspace`` names the keys and channels. ``address`` is where Redis is, without the password,
    for logs. ``watch`` has to run as long as the clients are used. ``barrier`` proves what
    ``subscriber`` has delivered.
    """

    commands: Redis
    subscriber: Redis
    keyspace: Keyspace
    address: str
    watch: ServerWatch
    barrier: Barrier = field(default_factory=Barrier)


@asynccontextmanager
async def gateway_redis_clients(source: RedisSource) -> AsyncIterator[GatewayRedisClients]:
    """Open the connections and close them at the end."""
    async with (
        source.client("gateway") as commands,
        source.client("gateway-subscriber", subscriber=True) as subscriber,
    ):
        watch = ServerWatch(source, commands)
        yield GatewayRedisClients(commands, subscriber, source.keyspace, source.address, watch)
