"""What alpaca-py's streams lack: limits of time, errors that keep their code, an orderly end."""

import asyncio
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.legacy.exceptions import InvalidStatusCode

from ingest.alpaca import messages as wire
from ingest.upstream.feed_error import FeedError, from_http

CONNECT_SECONDS = 10.0
"""Limit for the TCP connection, the upgrade, the welcome and the answer to the keys together."""

CLOSE_SECONDS = 3.0

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""The default of 1 MiB ends the connection, again and again, when a batch is larger."""

WEBSOCKET = {
    "open_timeout": 5,
    "ping_interval": 10,
    "ping_timeout": 10,
    "close_timeout": 1,
    "max_queue": 1024,
    "max_size": MAX_FRAME_BYTES,
    "compression": None,  # costs CPU on every frame and saves little on a server's line
}

_NOT_ALPACA = (ValueError, TypeError, LookupError, AttributeError)
"""What alpaca-py raises when the first answers have another form than it expects."""


class Connection:
    """Goes before a stream of alpaca-py's in the bases of a class.

    Use: ``open``, then ``frame`` until it raises, then ``shut``.
    """

    _ws: Any  # alpaca-py declares None and assigns websockets' legacy client

    async def _start_ws(self) -> None:
        await super()._start_ws()  # type: ignore[misc]

    async def close(self) -> None:
        """Close as alpaca-py does."""
        await super().close()  # type: ignore[misc]

    async def open(self) -> None:
        """Connect and authenticate.

        Raises:
            FeedError: it did not work; the socket is closed again.
        """
        before = _cancellations()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._start_ws()
        except TimeoutError:
            await self.shut()
            raise FeedError(f"Alpaca did not answer within {CONNECT_SECONDS:g} s") from None
        except InvalidStatusCode as error:
            await self.shut()
            raise from_http(error.status_code) from error
        except (WebSocketException, OSError, wire.BadFrameError, *_NOT_ALPACA) as error:
            await self.shut()
            raise FeedError(f"no connection to Alpaca: {error or repr(error)}") from error
        except BaseException:
            await self.shut()
            raise
        _stop_if_cancelled_since(before)

    async def frame(self) -> bytes | str:
        """Return the next frame; while one waits already, without a pause.

        Raises:
            FeedError: the connection is lost.
        """
        try:
            frame: bytes | str = await self._ws.recv()
        except ConnectionClosed as error:
            raise FeedError(f"the connection to Alpaca was lost: {error}") from error
        return frame

    async def send(self, request: bytes | str) -> None:
        """Send a request; the answer comes as a frame.

        A connection that has ended says so, and why, to who reads its frames.
        """
        with suppress(ConnectionClosed):
            await self._ws.send(request)

    async def shut(self) -> None:
        """Close with a WebSocket close, which frees Alpaca's only slot at once."""
        before, socket = _cancellations(), self._ws
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close()
        except (TimeoutError, ConnectionClosed, OSError):
            if socket is not None and socket.transport is not None:
                socket.transport.abort()
        _stop_if_cancelled_since(before)


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _stop_if_cancelled_since(before: int) -> None:
    """Make good what websockets may have swallowed: ``asyncio.wait_for`` does so on Python 3.11.

    Only a new request counts: there a task group leaves its own behind when a task of it fails.
    """
    if _cancellations() > before:
        raise asyncio.CancelledError
