"""One connection to Redis: it accepts only a master that is not a part of a cluster."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.bus.errors import CLUSTER, REDIS_ERRORS, UnusableServerError
from shared.bus.sentinels import Sentinels

CONNECT_TIMEOUT_SECONDS = 2.0
"""For the socket, and again for the handshake."""

if TYPE_CHECKING:
    _Base = AbstractConnection
else:
    _Base = object


class _MasterConnection(_Base):
    """A connection whose handshake has a time limit and asks for the role of the server.

    A name may lead to a former master for a while after a failover, and a subscription to it would
    stay silent or stale.
    """

    def __init__(self, *, name: str, **options: Any) -> None:
        self._name = name
        self._opening = asyncio.Lock()
        super().__init__(**options)

    async def _connect(self) -> None:
        # The tasks of a subscription that has lost its connection open it again at the same time:
        # the second socket would take the place of the first, which would stay open.
        async with self._opening:
            if not self.is_connected:
                await super()._connect()  # type: ignore[safe-super, no-untyped-call]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        try:
            # A stopped server accepts connections, because its kernel does, and never answers.
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await self._log_in(check_health=check_health)
                await self._check_server()
        except TimeoutError:
            raise RedisTimeoutError(
                f"{self._host_error()} accepts connections but does not answer"
            ) from None

    async def disconnect(self, nowait: bool = False, *args: Any, **named: Any) -> None:
        """Disconnect; ``nowait``: at once, so that nothing is left for the loop to end."""
        if nowait:
            self.abort()
        await super().disconnect(nowait, *args, **named)

    def abort(self) -> None:
        """Close the socket at once: a task that reads from it gets an error.

        Not ``close``: TLS would wait for the peer's farewell.
        """
        if self._writer is not None:
            self._writer.transport.abort()

    def discard(self) -> None:
        """Close a connection that no task uses."""
        self.abort()
        self._parser.on_disconnect()  # type: ignore[no-untyped-call]
        self._close()  # type: ignore[no-untyped-call]

    async def _log_in(self, *, check_health: bool) -> None:
        try:
            await super().on_connect_check_health(check_health)
        except ResponseError as error:
            text = str(error)
            if "DB index is out of range" in text:
                raise UnusableServerError(
                    f"Redis has no database {self.db}: choose one that its setting 'databases' "
                    "allows, from 0 to 15 by default"
                ) from None
            if "SELECT is not allowed in cluster mode" in text:
                raise UnusableServerError(CLUSTER) from None
            raise
        # CLIENT LIST shows it to operators. A user may lack the right to set it.
        await self._answer_or_none("CLIENT", "SETNAME", self._name)

    async def _check_server(self) -> None:
        # HELLO is the one command about the server that no ACL can forbid. A proxy may not know it.
        answer = await self._answer_or_none("HELLO")
        role, mode = role_and_mode(answer)
        if mode == "cluster":
            raise UnusableServerError(CLUSTER)
        if mode == "sentinel":
            raise UnusableServerError(
                "this is a sentinel: use redis+sentinel://HOST:PORT,HOST:PORT/NAME/0 with the name "
                "of the master"
            )
        if role not in (None, "master"):
            raise ReadOnlyError(
                f"{self._host_error()} is a {role} and not the master", status_code="READONLY"
            )

    async def _answer_or_none(self, *command: str) -> Any:
        await self.send_command(*command, check_health=False)
        try:
            return await self.read_response()
        except ResponseError:
            return None


def role_and_mode(answer: Any) -> tuple[str | None, str | None]:
    """Return ``role`` and ``mode`` of an answer to HELLO; None if it does not contain them."""
    found: Mapping[bytes, Any] = {}
    if isinstance(answer, list):
        found = dict(zip(answer[::2], answer[1::2], strict=False))
    elif isinstance(answer, dict):
        found = answer
    role, mode = found.get(b"role"), found.get(b"mode")
    return (
        role.decode() if isinstance(role, bytes) else None,
        mode.decode() if isinstance(mode, bytes) else None,
    )


class TcpConnection(_MasterConnection, Connection):
    """A plain TCP connection. With ``sentinels``, these are asked where the master is first."""

    def __init__(self, *, sentinels: Sentinels | None = None, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**options)

    async def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        """Connect, unless it is connected, and greet the server."""
        if self.is_connected or self._sentinels is None:
            await super().connect_check_health(check_health, retry_socket_connect)
            return
        self.host, self.port = await self._sentinels.master()
        try:
            await super().connect_check_health(check_health, retry_socket_connect)
        except REDIS_ERRORS:
            self._sentinels.distrust()
            raise


class TlsConnection(TcpConnection, SSLConnection):
    """A TCP connection with TLS."""

    async def _connect(self) -> None:
        try:
            await super()._connect()
        except ssl.SSLCertVerificationError as error:
            raise RedisConnectionError(
                f"the certificate of {self._host_error()} is not accepted: {error.verify_message}; "
                "add ?ssl_ca_certs=/PATH/TO/CA.pem to REDIS_URL, or ?ssl_cert_reqs=none"
            ) from None
        except (ssl.SSLError, TimeoutError):
            # A plain Redis takes a TLS greeting for a command: it answers with an error, or waits
            # for the end of the line.
            raise RedisConnectionError(
                f"{self._host_error()} does not answer with TLS; a plain Redis needs redis://"
            ) from None


class UnixConnection(_MasterConnection, UnixDomainSocketConnection):
    """A connection through a Unix socket."""
