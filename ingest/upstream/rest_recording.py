"""REST's exchanges for a capture, as alpaca-py's clients make them."""

import threading
import time
from collections.abc import Callable
from typing import Any

from alpaca.common.rest import RESTClient
from requests import PreparedRequest, Response

OnExchange = Callable[[str, str, int, bytes, int], None]
"""Gets method, path with its query, HTTP status, body and duration (ns) of each exchange, in the
thread of the request. A request that gets no response is none."""


def record_exchanges(client: RESTClient, on_exchange: OnExchange) -> None:
    """Report each response of a client as it came, before ``rest_text`` makes it readable.

    No header is reported: the keys are there.
    """
    session = client._session  # noqa: SLF001 - it offers no other way
    send, began = session.send, threading.local()

    def timed(request: PreparedRequest, **options: Any) -> Response:
        # requests measures by the wall clock.
        began.at = time.monotonic_ns()
        return send(request, **options)

    def report(response: Response, *_: Any, **__: Any) -> None:
        request, body = response.request, response.content
        duration = time.monotonic_ns() - began.at
        on_exchange(request.method or "GET", request.path_url, response.status_code, body, duration)

    session.send = timed  # type: ignore[method-assign]
    session.hooks["response"].append(report)
