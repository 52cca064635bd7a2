"""Limits on a request's time and bytes. uvicorn itself has a limit for neither.

A peer that sends a byte now and then, or an endless head, would otherwise be kept forever.
"""

import asyncio

import httptools
import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.http.api_error import ApiError
from gateway.http.connections import Connections
from gateway.http.security_headers import SECURITY_HEADERS
from shared.excerpt import cut

log = structlog.get_logger()

RECEIVE_SECONDS = 10.0
"""How long a whole request may take to arrive, from the connection's or its first byte."""

HEAD_BYTES = 64 * 1024
HEADERS = 100
"""How many headers a request may have. Browsers behind several proxies send about 40."""

BODY_BYTES = 1024 * 1024

VERSIONS = ("1.0", "1.1")

PIPELINED = 16
"""How many requests may wait for earlier answers. Browsers and balancers do not pipeline."""

REJECTED_PEER_SECONDS = 2.0
"""How long the gateway discards the bytes of a rejected peer. If it closed the connection at once,
a reset would overtake the answer."""


class LimitedProtocol(HttpToolsProtocol):
    """Rejects requests that are late, too large or not HTTP. The time of an answer has no limit."""

    url = b""
    connections: Connections
    _answering: RequestResponseCycle | None = None
    _in_head = True
    _received = 0
    _ignores_input = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time in which the peer must send a request."""
        super().connection_made(transport)
        self.connections.note_waiting(self)
        # uvicorn itself would wait forever: its keep-alive time starts after a first answer.
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock; the request that is being answered has no client any more."""
        self._stop_clock()
        # uvicorn notifies the newest request only, which pipelining makes another one: its answer
        # would be written to a closed transport, which raises.
        answering = self._answering
        if answering is not None and not answering.response_complete:
            log.debug("client_left", path=cut(answering.scope["path"]))
            answering.disconnected = True
            answering.message_event.set()
        super().connection_lost(exc)
        self.forget_requests()

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
            pass  # the request was parsed; it is answered as if it requested no upgrade
        except ApiError as rejection:
            self._reject(rejection)
        except httptools.HttpParserError as error:
            raised = error.__context__  # by one of the callbacks below
            self._reject(raised if isinstance(raised, ApiError) else _bad_http(str(error)))
        if not self._ignores_input:
            self._keep_time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. The trailers after a chunked body are not headers."""
        if self._in_head:
            if len(self.headers) >= HEADERS:
                raise self._head_too_large()
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, unless it or its body is too large, or it is of another HTTP."""
        # The parser accepts HTTP/0.9, which has no headers, and requests that call themselves 2.0.
        if (version := self.parser.get_http_version()) not in VERSIONS:
            raise _bad_http(f"the version is {version}")
        # Again here: a head that arrived in one piece was not measured while it grew.
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            raise self._head_too_large()
        # The stated length, so that a body that is too large is rejected before it arrives.
        if any(n == b"content-length" and int(v) > BODY_BYTES for n, v in self.headers):
            raise body_too_large()
        if len(self.pipeline) >= PIPELINED:
            raise _bad_http(f"more than {PIPELINED} requests are waiting for answers")
        self._in_head, self._received = False, 0
        super().on_headers_complete()
        if any(n in (b"content-length", b"transfer-encoding") for n, _ in self.headers):
            self.cycle.transport = _Lingering(self, self.cycle)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """End the request; the head of the next one follows."""
        super().on_message_complete()
        self._in_head, self._received = True, 0

    def on_response_complete(self) -> None:
        """Continue with a pipelined request, whose body may still be incomplete."""
        answered, self._answering = self._answering, None
        if answered is not None:
            self._release(answered)
        super().on_response_complete()
        if not self.transport.is_closing() and self._answering is None:
            self.connections.note_waiting(self)
        # If the next request has not started, uvicorn's keep-alive time limits the wait.
        if self.timeout_keep_alive_task is None:
            self._keep_time()

    def ignore_input(self) -> None:
        """Drop everything that the peer sends from now on."""
        self._ignores_input = True
        self._stop_clock()

    def pause_writing(self) -> None:
        """Note that the peer does not read its answer."""
        super().pause_writing()
        if self._answering is not None:
            self.connections.note_waiting(self)

    def resume_writing(self) -> None:
        """Note that the peer reads again."""
        super().resume_writing()
        if self._answering is not None:
            self.connections.note_busy(self)

    def end(self) -> None:
        """Close the connection, whose peer keeps it waiting."""
        self.ignore_input()
        # An answer that the peer does not read would keep the file open.
        if self._answering is None:
            self.transport.close()
        else:
            self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        self.connections.note_busy(self)
        super()._start_asgi_task(cycle, app)

    def _check_size(self) -> None:
        if self._in_head and self._received > HEAD_BYTES:
            raise self._head_too_large()
        if self._received > BODY_BYTES:
            raise body_too_large()

    def _is_receiving(self) -> bool:
        """Return whether a request is expected or incomplete, with no answer under way."""
        if self.transport.is_closing():
            return False
        if self.cycle is None or self.cycle.response_complete:
            return True
        return not self.pipeline and self.cycle.more_body and not self.cycle.response_started

    def _keep_time(self) -> None:
        """Run the clock while bytes are expected; those that arrive do not extend it."""
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
            # Browsers connect in advance and may send nothing: that deserves no error.
            self.transport.close()
        else:
            self._reject(request_timeout(RECEIVE_SECONDS))

    def forget_requests(self) -> None:
        """Free the request that is being answered and those that wait: none has a peer any more."""
        answering, self._answering = self._answering, None
        for cycle in (answering, *(waiting for waiting, _ in self.pipeline)):
            if cycle is not None:
                self._release(cycle)
        self.pipeline.clear()
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]

    def _release(self, cycle: RequestResponseCycle) -> None:
        """Part a request that is over from everything that refers back to it.

        Left to the garbage collector, the bodies of thousands of requests a minute fill the memory,
        and the search for them holds the streams up. What lives as long as a stream is old when it
        ends, and the collector searches old objects once in days (``gateway.__main__``).
        """
        cycle.body = bytearray()
        cycle.transport = self.transport
        cycle.scope.pop("extensions", None)

    def linger(self) -> None:
        """End the answers, and drop what the peer still sends; then close the connection."""
        self.ignore_input()
        self.flow.resume_reading()
        self.transport.write_eof()
        self.connections.note_waiting(self)
        self._deadline = self.loop.call_later(REJECTED_PEER_SECONDS, self.transport.abort)

    def _reject(self, rejection: ApiError) -> None:
        """Answer and close the connection, or only close it if an answer has started."""
        self.ignore_input()
        # A second answer on the connection would be taken for that of the next request.
        answered = self.cycle is not None and self.cycle.response_complete and not self._in_head
        if answered or not self._is_receiving():
            self.transport.abort()
            return
        self.flow.resume_reading()
        # The application may be waiting for the rest of this body.
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        response = rejection.response()
        response.headers.update(SECURITY_HEADERS)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%b: %b\r\n" % header for header in [*headers, (b"connection", b"close")]]
        head = [STATUS_LINE[response.status_code], *lines, b"\r\n"]
        self.transport.write(b"".join([*head, bytes(response.body)]))
        self.linger()

    def _head_too_large(self) -> ApiError:
        # A URL of this length is a list of symbols, so the remedy is a POST.
        if len(self.url) > HEAD_BYTES / 2:
            return ApiError(
                414,
                code="url_too_long",
                message=f"the URL is too long: the request's head exceeds {HEAD_BYTES} bytes",
                hint="request fewer topics at a time, or send them in the body of a POST",
            )
        return ApiError(
            431,
            code="head_too_large",
            message=f"the request's head has more than {HEAD_BYTES} bytes or {HEADERS} headers",
            hint="send fewer or shorter headers; cookies are not needed",
        )


class _Lingering:
    """The transport of a request with a body, which may be answered before the body has arrived.

    Closed with bytes unread, a connection is reset, and the reset overtakes the answer.
    """

    __slots__ = ("_cycle", "_protocol", "is_closing", "write")

    def __init__(self, protocol: LimitedProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        """Close the connection, at once if the whole body has arrived."""
        if self._cycle.more_body and not self.is_closing():
            self._protocol.linger()
        else:
            self._protocol.transport.close()


def body_too_large(headers: dict[str, str] | None = None) -> ApiError:
    """Return the error for a body of more than ``BODY_BYTES``."""
    return ApiError(
        413,
        code="body_too_large",
        message=f"the request's body has more than {BODY_BYTES} bytes",
        hint="send fewer topics at a time, on several streams",
        headers=headers,
    )


def request_timeout(seconds: float, headers: dict[str, str] | None = None) -> ApiError:
    """Return the error for a request that stayed incomplete for a time."""
    return ApiError(
        408,
        code="request_timeout",
        message=f"the request was not complete after {seconds:g} s",
        hint="send it at once; a Content-Length that is too high looks the same",
        headers=headers,
    )


def _bad_http(problem: str) -> ApiError:
    return ApiError(
        400,
        code="bad_http",
        message=f"this is not HTTP/1.1: {problem}",
        hint="https:// and HTTP/2 end at a proxy before the gateway",
    )
