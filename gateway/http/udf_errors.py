"""Errors of ``/api/udf`` in the form that TradingView's adapter reads.

It looks at no status: an answer that has no ``s`` counts as the data that it asked for, so it would
take ``{"error": …}`` for a symbol. The status, ``Retry-After`` and ``error`` stay as everywhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.json_response import json_response

PREFIX = "/api/udf/"

Handler = Callable[[Request, Exception], Awaitable[Response]]


def in_udf_form(handlers: Mapping[type[Exception], Handler]) -> dict[Any, Handler]:
    """Return handlers that give ``/api/udf`` its form of an error, and all others their own."""
    return {error: _in_udf_form(handler) for error, handler in handlers.items()}


def _in_udf_form(handler: Handler) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        # OPTIONS has no body, and an EventSource gets a stream.
        if response.media_type != "application/json":
            return response
        if not request.scope["path"].startswith(PREFIX):
            return response
        told = msgspec.json.decode(response.body)
        reason = "; ".join(filter(None, (told["error"]["message"], told["error"]["hint"])))
        kept = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-length", "content-type")
        }
        content = {"s": "error", "errmsg": reason, **told}
        return json_response(content, response.status_code, kept)

    return answer
