"""The gateway's connections to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource


@dataclass(frozen=True)
class GatewayRedisClients:
    """Three clients of the same Redis; each connects at its first command.

    A connection in pub/sub mode accepts no other commands, so the subscriber has its own. The
    loader reads thousands of values after a loss of Redis, and no request should wait behind them.
    ``keyspace`` names the keys and channels. ``address`` is where Redis is, without the password,
    for logs.
    """

    commands: Redis
    subscriber: Redis
    loader: Redis
    keyspace: Keyspace
    address: str


@asynccontextmanager
async def gateway_redis_clients(source: RedisSource) -> AsyncIterator[GatewayRedisClients]:
    """Open the connections and close them at the end."""
    async with (
        source.client("gateway") as commands,
        source.client("gateway-subscriber", subscriber=True) as subscriber,
        source.client("gateway-loader") as loader,
    ):
        yield GatewayRedisClients(commands, subscriber, loader, source.keyspace, source.address)
