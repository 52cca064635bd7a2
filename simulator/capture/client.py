"""A client of a replayed stream: its WebSocket, its requests, its end."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.capture.capture_file import Frame
from simulator.streams.transport import protocol_of

CLOSE_SECONDS: Final = 2.0
"""The time in which a peer must accept our close before the connection is cut."""

NO_CLOSE_FRAME: Final = frozenset({1005, 1006, 1015})
"""Codes that no close frame may have (RFC 6455)."""

NORMAL: Final = 1000


class Client:
    """An accepted WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self.owes = 0
        """The number of requests that come before its data, if its recorded connection has been
        under way when it came."""
        self.is_in_step = False
        """Whether the replay has reached its recorded connection."""
        self.answered_ahead = 0
        """The number of the first request that was not answered ahead of the replay."""
        self.waiting = 0
        """The number of its requests that wait for their place in the replay."""
        self._websocket = websocket
        self._has_ended = False

    async def send(self, frame: Frame) -> None:
        """Send a frame; wait while the client does not read. Nothing if it has ended.

        Pings end the connection of a client that does not read for long.
        """
        if self._has_ended:
            return
        with suppress(WebSocketDisconnect):  # the reader sees it too
            if frame.is_text:
                await self._websocket.send_text(frame.payload.decode())
            else:
                await self._websocket.send_bytes(frame.payload)

    async def next_request(self) -> bool:
        """Return at the next request; False at the end of the connection."""
        event = await self._websocket.receive()
        return str(event["type"]) == "websocket.receive"

    async def close(self, code: int, reason: str = "") -> None:
        """Close it; cut it if the peer does not answer."""
        if self._has_ended:
            return
        self._has_ended = True
        self._abort_later()
        with suppress(WebSocketDisconnect, RuntimeError):  # the peer was faster
            await self._websocket.close(code, reason)

    async def end(self, code: int, reason: str) -> None:
        """End it as recorded: with a close, or cut if there was no close frame."""
        if code not in NO_CLOSE_FRAME:
            await self.close(code, reason)
        elif not self._has_ended:
            self._has_ended = True
            protocol_of(self._websocket).transport.close()
            self._abort_later()

    def _abort_later(self) -> None:
        transport = protocol_of(self._websocket).transport
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)
