"""Connections to Redis or Valkey, configured for a relay, or to fakeredis in memory.

By default redis-py retries silently: it may send a publish twice, and a subscriber reconnects and
loses messages unnoticed. These clients raise an exception for each loss instead, once.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from shared.bus import redis_url
from shared.bus.errors import REDIS_ERRORS, is_wrong_server, translated
from shared.bus.keys import Keyspace
from shared.bus.redis_connection import (
    CONNECT_TIMEOUT_SECONDS,
    TcpConnection,
    TlsConnection,
    UnixConnection,
)
from shared.bus.redis_pool import BoundedPool
from shared.bus.sentinels import Sentinels
from shared.bus.settings import MEMORY_URL, database_of

if TYPE_CHECKING:
    from fakeredis import FakeServer

log = structlog.get_logger()

COMMAND_TIMEOUT_SECONDS = 2.0

COMMAND_CONNECTIONS = 10
"""The most connections of one client. A thousand requests at once are served by them in turn."""

SUBSCRIBER_CONNECTIONS = 2
"""One for the subscription, and one for the next subscription while the last one is closed."""


def _keepalive() -> dict[int, int]:
    """Return socket options that detect a dead peer within about ten seconds.

    TCP keepalive alone does not while data is unacknowledged.
    """
    wanted = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


def _common_options() -> dict[str, Any]:
    # RESP 2: both Redis 7 and fakeredis speak it, and no feature of RESP 3 is used. No retries: a
    # publish whose answer was lost must not be sent again unless the script recognises it.
    return {
        "protocol": 2,
        "decode_responses": False,
        "driver_info": None,  # CLIENT SETINFO, which old servers and small ACLs do not know
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
    }


class _LimitedPipeline(Pipeline):
    """A batch of commands that has our time limit as a whole."""

    def __init__(self, client: "_LimitedRedis", transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        # A pipeline does not pass through the client's ``execute_command``.
        return await self._client.limited(super().execute, raise_on_error)  # type: ignore[no-any-return]


class _LimitedRedis(Redis):
    """A client whose commands and pipelines have our time limit.

    redis-py's ``socket_timeout`` uses ``asyncio.wait_for``, which on Python 3.11 can swallow a
    cancellation, so that a task does not end; it also creates a task for each command.
    """

    def __init__(self, pool: BoundedPool, on_wrong_server: Callable[[str], None]) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._pool = pool
        self._on_wrong_server = on_wrong_server

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self.limited(super().execute_command, *args, **options)

    async def limited(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Make a call to Redis within the limits of connections and of time."""
        await self._pool.reserve()
        try:
            # A paused Redis accepts connections and answers no command; without a limit the
            # caller, and with it the lease's renewal, would wait for it to wake up.
            async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
                return await call(*args, **options)
        except RedisError as error:
            if is_wrong_server(error):
                self._on_wrong_server(str(translated(error)))
            raise
        finally:
            self._pool.free()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _LimitedPipeline(self, transaction, shard_hint)


async def eviction_policy(client: Redis) -> str | None:
    """Return the server's ``maxmemory-policy``; None if it does not report one."""
    # Not CONFIG GET, which many hosted servers forbid, and whose right would show passwords.
    try:
        answer: Any = await client.info(section="memory")
    except REDIS_ERRORS:
        return None
    policy: str | None = answer.get("maxmemory_policy")
    return policy


class RedisSource:
    """The address of Redis, and a factory of clients, which the caller owns and closes.

    ``memory://`` is one fakeredis shared by all clients of this object, so it only suits a process
    that contains all parts (``standalone``).

    ``keyspace`` has the names of the deployment's keys and channels: those of ``namespace`` and of
    the URL's database.
    """

    def __init__(self, url: str, namespace: str | None = None) -> None:
        self.url = url
        self.keyspace = Keyspace(namespace, database_of(url))
        self.sentinels: Sentinels | None = None
        self._pools: WeakSet[BoundedPool] = WeakSet()
        self._left_for: str | None = None
        self._memory: FakeServer | None = None
        if url.startswith(MEMORY_URL):
            import fakeredis  # an extra that only memory:// needs

            self._memory = fakeredis.FakeServer(version=(7, 4))
            self.address = MEMORY_URL
            return
        self._target = redis_url.parse(url)
        self.address = str(self._target)
        if self._target.sentinels:
            self.sentinels = _sentinels(self._target)

    def client(
        self, name: str, *, subscriber: bool = False, connections: int = COMMAND_CONNECTIONS
    ) -> Redis:
        """Return a client that raises on the first failure and does not resend.

        ``subscriber``: a client that only subscribes, without a read timeout, because a quiet
        channel is not a failure.
        """
        if self._memory is not None:
            from shared.bus.memory_redis import memory_client  # an extra that only memory:// needs

            return memory_client(self._memory)
        pool = BoundedPool(
            SUBSCRIBER_CONNECTIONS if subscriber else connections, **self._options(name)
        )
        self._pools.add(pool)
        return Redis.from_pool(pool) if subscriber else _LimitedRedis(pool, self.leave_server)

    @property
    def addresses(self) -> set[tuple[str, int]]:
        """The hosts and ports to which connections are open."""
        return {address for pool in self._pools for address in pool.addresses()}

    def leave_server(self, reason: str) -> None:
        """Close all connections of the process, because they lead to the wrong server.

        The next commands connect again, and with that resolve the name or ask the sentinels.
        """
        # A server that is loading its data answers so again and again.
        if reason != self._left_for:
            log.warning("redis_connections_closed", redis=self.address, reason=reason)
        self._left_for = reason
        for pool in self._pools:
            pool.close_all()

    def on_master(self) -> None:
        """Record that commands reach the master: the next server that is left is logged."""
        self._left_for = None

    def _options(self, name: str) -> dict[str, Any]:
        options = _common_options() | {
            "name": name,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
            **self._target.options,
        }
        if self._target.scheme == "unix":
            # It has no peer that could vanish without closing it.
            return options | {"connection_class": UnixConnection}
        return options | {
            "connection_class": TlsConnection if self._target.is_tls else TcpConnection,
            "sentinels": self.sentinels,
            "socket_keepalive": True,
            "socket_keepalive_options": _keepalive(),
        }


def _sentinels(target: redis_url.RedisAddress) -> Sentinels:
    tls = {name: value for name, value in target.options.items() if name.startswith("ssl_")}
    kind = SSLConnection if target.is_tls else Connection
    options = _common_options() | tls | dict(target.sentinel_options)
    return Sentinels(
        [kind(host=host, port=port, **options) for host, port in target.sentinels], target.service
    )
