"""The headers of every answer that keep browsers from using it in other ways than it is meant."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    # JSON and streams must not be taken for a script or a page, whatever they contain.
    "X-Content-Type-Options": "nosniff",
    # No page of another origin keeps a reference to a window with our page.
    "Cross-Origin-Opener-Policy": "same-origin",
    # No page of another origin embeds an answer. This does not affect requests with CORS, such as
    # those that CORS_ORIGINS allows.
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds the headers to every answer of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request with the headers in its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
