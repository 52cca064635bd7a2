"""REST bodies whose text is Unicode, which an escape in JSON need not be."""

import json
from typing import Any

from alpaca.common.rest import RESTClient
from requests import Response

_HALF_A_CHARACTER = b"\\ud"
"""The escape of one half of a character beyond the first 65,536, in either case of its letter."""


def readable(body: bytes) -> bytes:
    r"""Return a JSON body with ``?`` in the place of each half of a character.

    Python's decoder accepts ``"\ud83d"`` alone, and the text could then be put into no event.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    if _HALF_A_CHARACTER not in body.lower():
        return body
    return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")


def make_readable(client: RESTClient) -> None:
    """Pass every answer of a client through ``readable`` before alpaca-py decodes it."""
    client._session.hooks["response"].append(_replace_body)  # noqa: SLF001 - it offers no other way


def _replace_body(response: Response, *_: Any, **__: Any) -> None:
    try:
        response._content = readable(response.content)  # noqa: SLF001 - requests offers no other way
    except (ValueError, RecursionError):
        # alpaca-py meets the same error when it decodes the body, and the request has failed.
        return
