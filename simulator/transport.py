"""uvicorn's WebSocket protocol with its TCP transport within the application's reach.

ASGI has no way to cut a connection whose peer has stopped reading; `transport.abort()` has.
"""

import asyncio
from typing import Final, cast

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_EXTENSION: Final = "simulator.transport"


class StreamProtocol(WebSocketsSansIOProtocol):
    """Hands the transport to the application in `scope["extensions"]`."""

    def handle_connect(self, event: Request) -> None:
        """Start the application, which runs from the next turn of the event loop on."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # not after a refused handshake
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[_EXTENSION] = self.transport


def transport_of(websocket: WebSocket) -> asyncio.Transport:
    """Return the TCP transport under a WebSocket that `StreamProtocol` accepted."""
    return cast("asyncio.Transport", websocket.scope["extensions"][_EXTENSION])
