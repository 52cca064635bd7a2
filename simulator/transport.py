"""uvicorn's WebSocket protocol within the application's reach.

ASGI has no way to cut a connection whose peer has stopped reading, or to let one go stiff.
"""

import socket
import struct
from typing import Final, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_EXTENSION: Final = "simulator.protocol"


class StreamProtocol(WebSocketsSansIOProtocol):
    """Hands itself to the application in `scope["extensions"]`."""

    _frozen = False

    def handle_connect(self, event: Request) -> None:
        """Start the application, which runs from the next turn of the event loop on."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # not after a refused handshake
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[_EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        """Read what the peer sends; a frozen connection loses it unread."""
        if not self._frozen:
            super().data_received(data)

    def freeze(self) -> None:
        """Answer nothing any more, not even pings, and send none; the peer's end is still seen."""
        self._frozen = True
        self.stop_keepalive()
        self.transport.resume_reading()  # it may be paused, and would not notice the end

    def reset(self) -> None:
        """Cut the connection so that the peer sees a reset."""
        at_once = struct.pack("ii", 1, 0)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()


def protocol_of(websocket: WebSocket) -> StreamProtocol:
    """Return what is under a WebSocket that was accepted."""
    return cast("StreamProtocol", websocket.scope["extensions"][_EXTENSION])
