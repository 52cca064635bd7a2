"""The check of ``Host``, in front of every path: the page, the API and the streams."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.api_error import ApiError
from gateway.wire.allowed_hosts import AllowedHosts

_SHOWN = 100
"""How many characters of a rejected name the error repeats."""


class HostCheck:
    """Rejects requests that are addressed to another name, before anything else reads them."""

    def __init__(self, app: ASGIApp, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 421."""
        if self._allowed.allows_all or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # A request without a Host is HTTP/1.0, which no browser sends. Of two, both must be right.
        wrong = [h for h in Headers(scope=scope).getlist("host") if not self._allowed.allows(h)]
        if not wrong:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # the server answers 403
        else:
            await _wrong_host(wrong[0]).response()(scope, receive, send)


def _wrong_host(host: str) -> ApiError:
    return ApiError(
        421,
        code="wrong_host",
        message=f"this gateway does not serve the host {host[:_SHOWN]!r}",
        hint="add the name to ALLOWED_HOSTS; a gateway without API_TOKEN serves only the names of "
        "its own machine by default",
    )
