"""The JSON body of a request, read within limits under any server."""

import asyncio
import codecs

from starlette.requests import Request

from gateway.http.api_error import ApiError
from gateway.http.limits import BODY_BYTES, RECEIVE_SECONDS, body_too_large, request_timeout
from shared.excerpt import excerpt

READ_SECONDS = RECEIVE_SECONDS

_OTHER_FORMS = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    codecs.BOM_UTF16_LE: "in UTF-16",
    codecs.BOM_UTF16_BE: "in UTF-16",
}
"""Bodies that are not UTF-8, by their first bytes. A client may compress and not declare it."""

# The rest of the body must not be taken for another request.
_HANG_UP = {"Connection": "close"}


async def read(request: Request) -> bytes:
    """Return the body of a request, which may be empty.

    Raises:
        ApiError: 415, it is not JSON in UTF-8, or compressed; 413, it is too long; 408, it stays
            incomplete.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise body_too_large(_HANG_UP)
    except TimeoutError as error:
        raise request_timeout(READ_SECONDS, _HANG_UP) from error
    if body:
        _check_form(request, body)
    return bytes(body.removeprefix(codecs.BOM_UTF8))


def _check_form(request: Request, body: bytes | bytearray) -> None:
    """Reject a body that is not plain JSON by its headers, or by how it starts.

    No body has no form: urllib and jQuery declare an empty one as a form's.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise _unsupported(f"encoded as {excerpt(encoding)}")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("", "application/json"):
        raise _unsupported(excerpt(media_type))
    # The decoder would only report an invalid character at byte 0.
    for start, form in _OTHER_FORMS.items():
        if body.startswith(start):
            raise _unsupported(form)


def _unsupported(form: str) -> ApiError:
    return ApiError(
        415,
        code="unsupported_media_type",
        message=f"the body is {form}",
        hint="send JSON in UTF-8, not compressed, with 'Content-Type: application/json'",
    )
