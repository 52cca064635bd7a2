"""The JSON body of a request, read within limits under any server."""

import asyncio

from starlette.requests import Request

from gateway.http.api_error import ApiError

MAX_BYTES = 1024 * 1024
READ_SECONDS = 10.0


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
            message=f"the body is {media_type!r}",
            hint="send JSON, with 'Content-Type: application/json'",
        )
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _too_large()
    except TimeoutError as error:
        raise ApiError(
            408,
            code="request_timeout",
            message=f"the request was not complete after {READ_SECONDS:g} s",
            hint="send the whole request at once",
            headers={"Connection": "close"},
        ) from error
    return bytes(body)


def _too_large() -> ApiError:
    return ApiError(
        413,
        code="body_too_large",
        message=f"the request's body has more than {MAX_BYTES} bytes",
        hint="distribute the topics over several streams",
        headers={"Connection": "close"},
    )
