"""The JSON body of a request, read within limits under any server."""

import asyncio

from starlette.requests import Request

from gateway.http.api_error import ApiError
from gateway.http.limits import BODY_BYTES, RECEIVE_SECONDS, body_too_large, request_timeout
from shared.excerpt import excerpt

READ_SECONDS = RECEIVE_SECONDS

# The rest of the body must not be taken for another request.
_HANG_UP = {"Connection": "close"}


async def read(request: Request) -> bytes:
    """Return the body of a request, which may be empty.

    Raises:
        ApiError: 415, its media type is not JSON; 413, it is too long; 408, it stays incomplete.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("", "application/json"):
        raise ApiError(
            415,
            code="unsupported_media_type",
            message=f"the body is {excerpt(media_type)}",
            hint="send JSON, with 'Content-Type: application/json'",
        )
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise body_too_large(_HANG_UP)
    except TimeoutError as error:
        raise request_timeout(READ_SECONDS, _HANG_UP) from error
    return bytes(body)
