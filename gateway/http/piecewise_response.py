"""A large answer in pieces."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE_SECONDS = 30.0
"""How long a client may leave a piece unread."""


class PiecewiseResponse(Response):
    """JSON in pieces, between which other requests and the streams have their turn.

    ``on_end`` is called once it has been sent, or cannot be.
    """

    media_type = "application/json"

    def __init__(self, pieces: Iterable[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._pieces = pieces
        self._on_end = on_end

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send the pieces; a client that does not read them gets an incomplete answer."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with suppress(TimeoutError):
                for piece in self._pieces:
                    async with asyncio.timeout(PIECE_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                    await asyncio.sleep(0)
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._on_end()
