"""uvicorn's WebSocket protocol, accessible to the application.

ASGI can neither cut a connection whose peer has stopped reading, nor freeze one.
"""

import socket
import struct
from typing import Final, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_EXTENSION: Final = "simulator.protocol"


class StreamProtocol(WebSocketsSansIOProtocol):
    """A protocol that puts itself into `scope["extensions"]`."""

    _frozen = False

    def handle_connect(self, event: Request) -> None:
        """Start the application, which runs from the next iteration of the event loop."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # not after a rejected handshake
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[_EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        """Read the peer's data; a frozen connection discards them."""
        if not self._frozen:
            super().data_received(data)

    def freeze(self) -> None:
        """Send nothing any more, neither pings nor pongs; the peer's close is still noticed."""
        self._frozen = True
        self.stop_keepalive()
        self.transport.resume_reading()  # while paused, it would not notice the end

    def reset(self) -> None:
        """Cut the connection so that the peer sees a reset."""
        at_once = struct.pack("ii", 1, 0)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()


def protocol_of(websocket: WebSocket) -> StreamProtocol:
    """Return the protocol of an accepted WebSocket."""
    return cast("StreamProtocol", websocket.scope["extensions"][_EXTENSION])
