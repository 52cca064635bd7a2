"""The meaning of Alpaca's errors for a connection: try again soon, later, or never.

The codes that have no name in ``ingest.alpaca.codes`` are used here only; 411 is from Alpaca's Go
SDK.
"""

from enum import Enum

from ingest.alpaca import codes


class Retry(Enum):
    """When to try again after an error."""

    SOON = "soon"
    LATER = "later"
    MUCH_LATER = "much later"
    NEVER = "never"


HTTP_TOO_MANY_REQUESTS = 429

_MEANING: dict[int, tuple[Retry, str]] = {
    codes.INVALID_SYNTAX: (Retry.SOON, "Alpaca does not understand a message of the ingest"),
    401: (Retry.SOON, "not authenticated"),
    codes.AUTH_FAILED: (
        Retry.NEVER,
        "check ALPACA_PAPER_API_KEY and ALPACA_PAPER_SECRET_KEY (live keys: without PAPER_)",
    ),
    codes.ALREADY_AUTHENTICATED: (Retry.SOON, "already authenticated"),
    404: (Retry.SOON, "Alpaca waited ten seconds for the keys"),
    codes.CONNECTION_LIMIT: (
        Retry.LATER,
        "another session holds Alpaca's slot; a dead one frees it after 90 s",
    ),
    407: (Retry.SOON, "the ingest read too slowly"),
    408: (Retry.NEVER, "this account has no access to the v2 data API"),
    codes.INSUFFICIENT_SUBSCRIPTION: (
        Retry.NEVER,
        "the plan does not include it: for stocks set ALPACA_FEED=iex, or upgrade",
    ),
    codes.INVALID_ACTION: (Retry.NEVER, "the feed has no such channel: check ALPACA_FEED"),
    411: (Retry.NEVER, "the token lacks the scope for market data"),
    412: (Retry.NEVER, "this feed speaks msgpack only"),
    413: (Retry.NEVER, "this feed allows no subscription to everything"),
    HTTP_TOO_MANY_REQUESTS: (Retry.MUCH_LATER, "too many connection attempts"),
    500: (Retry.SOON, "an error inside Alpaca"),
}

HTTP_UNAUTHORIZED = 401
HTTP_FORBIDDEN = 403
HTTP_NOT_FOUND = 404


class UpstreamError(Exception):
    """A connection ended or could not be opened. ``code`` is Alpaca's, or the HTTP status.

    ``retry`` replaces the code's meaning. ``was_greeted`` is False if the connection failed before
    Alpaca's greeting: another machine may reach Alpaca.
    """

    def __init__(
        self,
        message: str,
        code: int | None = None,
        *,
        retry: Retry | None = None,
        was_greeted: bool = True,
    ) -> None:
        self.code = code
        self.was_greeted = was_greeted
        meaning, self.hint = _MEANING.get(code or 0, (Retry.SOON, ""))
        self.retry = retry or meaning
        where = f" ({code})" if code is not None else ""
        super().__init__(f"{message}{where}" + (f": {self.hint}" if self.hint else ""))


def from_http(status: int, settings: str) -> UpstreamError:
    """Return the error for an HTTP status in place of a WebSocket.

    ``settings`` names those that the endpoint's URL follows from.
    """
    answered = f"Alpaca answered HTTP {status}"
    if status == HTTP_UNAUTHORIZED:
        return UpstreamError(answered, codes.AUTH_FAILED)
    if status == HTTP_TOO_MANY_REQUESTS:
        return UpstreamError(answered, HTTP_TOO_MANY_REQUESTS)
    # Alpaca gets the keys only after the upgrade, so this is not about them.
    if status == HTTP_FORBIDDEN:
        answered += f": a proxy or a firewall may reject the connection, or check {settings}"
    elif status == HTTP_NOT_FOUND:
        answered += f": check {settings}"
    return UpstreamError(answered, was_greeted=False)
