"""The answers of a gateway that is about to end: each closes its connection."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LastAnswers:
    """Adds ``Connection: close`` while ``is_ending``, so that clients leave kept connections.

    A balancer that forwards connections, not requests, learns of an ending gateway only for new
    ones. A request on a kept connection could meet its end, and a POST is not repeated.
    """

    def __init__(self, app: ASGIApp, is_ending: Callable[[], bool]) -> None:
        self._app = app
        self._is_ending = is_ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message["headers"] if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*others, (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, send_last if self._is_ending() else send)
