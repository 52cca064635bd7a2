"""Opening a WebSocket: directly, or through the network's proxy."""

from collections.abc import Mapping
from typing import Any

from websockets.asyncio.client import connect as connect_by_proxy
from websockets.exceptions import (
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    WebSocketException,
)
from websockets.legacy.client import connect
from websockets.legacy.exceptions import InvalidStatusCode

from ingest.upstream.proxy import proxy_for, without_credentials
from ingest.upstream.upstream_error import UpstreamError

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""With the default of 1 MiB a larger batch ends the connection, and the next one as well."""

WEBSOCKET: dict[str, Any] = {
    "open_timeout": 5,
    "ping_interval": 10,
    "ping_timeout": 10,
    "close_timeout": 0.5,  # an attempt that is given up waits for it, too
    "max_queue": 1024,
    "max_size": MAX_FRAME_BYTES,
    "compression": None,  # it costs CPU for every frame and saves little on a server's line
}

_PROXY_HINTS = {
    403: ": it does not allow this host",
    407: ": it requires a user and a password, as in HTTPS_PROXY=http://user:password@host:port",
}


class HttpAnswerError(Exception):
    """The server answered the upgrade with an HTTP status instead."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


async def open_websocket(endpoint: str, headers: Mapping[str, str]) -> Any:
    """Return an open connection of websockets' legacy client, or of its newer one by a proxy.

    Both have ``recv send close transport``, and ``recv`` does not suspend while a frame is
    buffered.

    Raises:
        HttpAnswerError: the server rejected the upgrade.
        UpstreamError: the proxy gives no connection.
        OSError, WebSocketException: a direct connection failed.
    """
    proxy = proxy_for(endpoint)
    # alpaca-py uses the legacy client, which has no proxies.
    if proxy is None:
        try:
            return await connect(endpoint, extra_headers=headers, **WEBSOCKET)
        except InvalidStatusCode as error:
            raise HttpAnswerError(error.status_code) from error
    try:
        return await connect_by_proxy(
            endpoint, proxy=proxy, additional_headers=headers, **WEBSOCKET
        )
    except InvalidStatus as error:
        raise HttpAnswerError(error.response.status_code) from error
    except InvalidProxyStatus as error:
        status = error.response.status_code
        hint = _PROXY_HINTS.get(status, "")
        name = without_credentials(proxy)
        raise UpstreamError(f"the proxy {name} answered HTTP {status} to CONNECT{hint}") from error
    # ImportError: SOCKS needs a package that is not a dependency.
    except (OSError, WebSocketException, ImportError) as error:
        name = without_credentials(proxy)
        problem = f"no connection to Alpaca through the proxy {name}: {_reason(error)}"
        raise UpstreamError(problem) from error


def _reason(error: Exception) -> str:
    # Its text would contain the whole address, and a password in it.
    if isinstance(error, InvalidProxy):
        return f"its address is invalid: {error.msg}"
    return str(error) or repr(error)
