"""Connections to Redis or Valkey, configured for a relay, or to fakeredis in memory.

By default redis-py retries silently: it may send a publish twice, and a subscriber reconnects and
loses messages unnoticed. These clients raise an exception for each loss instead, once.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from shared.bus.errors import REDIS_ERRORS
from shared.bus.keys import Keyspace
from shared.bus.settings import MEMORY_URL, database_of, without_password

if TYPE_CHECKING:
    from fakeredis import FakeServer

COMMAND_TIMEOUT_SECONDS = 2.0
CONNECT_TIMEOUT_SECONDS = 2.0


def _keepalive() -> dict[int, int]:
    """Return socket options that detect a dead peer within about ten seconds.

    TCP keepalive alone does not while data is unacknowledged.
    """
    wanted = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


class _LimitedPipeline(Pipeline):
    """A batch of commands that has our time limit as a whole."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        # A pipeline does not pass through the client's ``execute_command``.
        async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
            return await super().execute(raise_on_error)


class _LimitedRedis(Redis):
    """A client whose commands and pipelines have our time limit.

    redis-py's ``socket_timeout`` uses ``asyncio.wait_for``, which on Python 3.11 can swallow a
    cancellation, so that a task does not end; it also creates a task for each command.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        # A paused Redis accepts connections and answers no command; without a limit the caller, and
        # with it the lease's renewal, would wait for it to wake up.
        async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _LimitedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


async def eviction_policy(client: Redis) -> str | None:
    """Return the server's ``maxmemory-policy``; None if it does not report one."""
    try:
        answer: Any = await client.config_get("maxmemory-policy")
    except REDIS_ERRORS:  # many hosted servers forbid the command
        return None
    policy = answer.get("maxmemory-policy", answer.get(b"maxmemory-policy"))
    return policy.decode() if isinstance(policy, bytes) else policy


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
        self._memory: FakeServer | None = None
        if url.startswith(MEMORY_URL):
            import fakeredis  # an extra that only memory:// needs

            self._memory = fakeredis.FakeServer(version=(7, 4))

    def client(self, name: str, *, subscriber: bool = False) -> Redis:
        """Return a client that raises on the first failure and does not resend.

        ``subscriber`` omits the read timeout, because a quiet channel is not a failure.
        """
        if self._memory is not None:
            from shared.bus.memory_redis import memory_client  # an extra that only memory:// needs

            return memory_client(self._memory)
        # A Unix socket has no peer that could vanish without closing it.
        options: dict[str, Any] = (
            {}
            if self.url.startswith("unix:")
            else {
                "socket_keepalive": True,
                "socket_keepalive_options": _keepalive(),
            }
        )
        kind = Redis if subscriber else _LimitedRedis
        # RESP 2: both Redis 7 and fakeredis speak it, and no feature of RESP 3 is used. No retries:
        # a publish whose answer was lost must not be sent again unless the script recognises it.
        return kind.from_url(
            self.url,
            protocol=2,
            decode_responses=False,
            client_name=name,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **options,
        )

    @property
    def address(self) -> str:
        """The URL for logs, with its password removed."""
        return without_password(self.url)
