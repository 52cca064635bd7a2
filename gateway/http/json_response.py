"""Answers that are JSON, and never kept by a cache."""

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


def json_response(content: object, status: int = 200) -> Response:
    """Return content as JSON; what is ``msgspec.Raw`` in it passes untouched."""
    return Response(_encode(content), status, {"Cache-Control": "no-store"}, "application/json")
