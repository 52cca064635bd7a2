"""JSON answers, which no cache keeps."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode


def json_response(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return content as JSON; ``msgspec.Raw`` values in it stay unchanged."""
    # Answers depend on the token and on the moment: a proxy must not give one to another client.
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(_encode(content), status, all_headers, "application/json")
