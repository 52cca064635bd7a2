"""What a request may take: time and bytes. uvicorn itself has a limit for neither.

A peer that sends a byte now and then, or a head without an end, would otherwise be kept for ever.
"""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.api_error import ApiError

RECEIVE_SECONDS = 10.0
"""How long a whole request may take to arrive, from the connection's or its own first byte."""

HEAD_BYTES = 64 * 1024
BODY_BYTES = 1024 * 1024

PIPELINED = 16
"""How many requests may wait for the answers before theirs. Browsers and balancers send none."""

LINGER_SECONDS = 2.0
"""How long what a refused peer still sends is thrown away. If the connection were closed at once,
a reset would overtake the answer."""


class LimitedProtocol(HttpToolsProtocol):
    """Refuses requests that are late, too large or no HTTP. An answer under way is never timed."""

    url = b""
    _in_head = True
    _received = 0
    _ignores_input = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the peer its time to ask for something."""
        super().connection_made(transport)
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes, within the limits."""
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        self._received += len(data)
        try:
            self.parser.feed_data(data)
            self._check_size()
        except httptools.HttpParserUpgrade:
            pass  # the request was parsed; it is answered as if no upgrade had been asked for
        except ApiError as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            raised = error.__context__  # by one of the callbacks below
            self._refuse(raised if isinstance(raised, ApiError) else _bad_http(str(error)))
        if not self._ignores_input:
            self._keep_time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a chunked body is none."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, unless it or its body is too large."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            raise self._head_too_large()
        if any(n == b"content-length" and int(v) > BODY_BYTES for n, v in self.headers):
            raise _body_too_large()
        if len(self.pipeline) >= PIPELINED:
            raise _bad_http(f"more than {PIPELINED} requests wait for their answers")
        self._in_head, self._received = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request; what follows is the next one's head."""
        super().on_message_complete()
        self._in_head, self._received = True, 0

    def on_response_complete(self) -> None:
        """Go on with a request that was pipelined, whose body may not be there yet."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is None:
            self._keep_time()

    def ignore_input(self) -> None:
        """Drop everything that the peer sends from now on."""
        self._ignores_input = True
        self._stop_clock()

    def _check_size(self) -> None:
        if self._in_head and self._received > HEAD_BYTES:
            raise self._head_too_large()
        if self._received > BODY_BYTES:
            raise _body_too_large()

    def _is_receiving(self) -> bool:
        """Tell whether a request is to come or is incomplete, and no answer is under way."""
        if self.transport.is_closing():
            return False
        if self.cycle is None or self.cycle.response_complete:
            return True
        return not self.pipeline and self.cycle.more_body and not self.cycle.response_started

    def _keep_time(self) -> None:
        """Have the clock run while there is something to receive; more of it does not wind it."""
        if not self._is_receiving():
            self._stop_clock()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(RECEIVE_SECONDS, self._too_late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if not self._is_receiving():
            return
        if self._in_head and not self._received:
            self.transport.close()  # it has asked for nothing: browsers connect in advance
        else:
            self._refuse(_request_timeout())

    def _refuse(self, refusal: ApiError) -> None:
        """Answer and hang up; where another answer is under way, or has been given, only that."""
        self.ignore_input()
        answered = self.cycle is not None and self.cycle.response_complete and not self._in_head
        if answered or not self._is_receiving():
            self.transport.abort()
            return
        self.flow.resume_reading()
        if self.cycle is not None:  # its application may wait for a body that does not come
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        response = refusal.response()
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%b: %b\r\n" % header for header in [*headers, (b"connection", b"close")]]
        head = [STATUS_LINE[response.status_code], *lines, b"\r\n"]
        self.transport.write(b"".join([*head, bytes(response.body)]))
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _head_too_large(self) -> ApiError:
        if len(self.url) > HEAD_BYTES / 2:
            return ApiError(
                414,
                "url_too_long",
                f"the request's head has more than {HEAD_BYTES} bytes, most of them its URL",
                "ask for less at a time, or in the body of a POST",
            )
        return ApiError(
            431,
            "head_too_large",
            f"the request's head has more than {HEAD_BYTES} bytes",
            "send fewer or shorter headers; cookies are not needed",
        )


def _body_too_large() -> ApiError:
    return ApiError(
        413,
        "body_too_large",
        f"the request's body has more than {BODY_BYTES} bytes",
        "send less at a time",
    )


def _request_timeout() -> ApiError:
    return ApiError(
        408,
        "request_timeout",
        f"the request was not complete after {RECEIVE_SECONDS:g} s",
        "send it at once; a Content-Length that is too high looks the same",
    )


def _bad_http(problem: str) -> ApiError:
    return ApiError(
        400,
        "bad_http",
        f"this is not HTTP/1.1: {problem}",
        "https:// and HTTP/2 end at a proxy before the gateway",
    )
