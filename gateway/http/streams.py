"""The endpoints that are streams."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TypeVar

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.subscriptions import StreamOpening, Subscriptions
from gateway.fanout.hub import Hub
from gateway.http import fields, json_body
from gateway.http.access import Access
from gateway.http.admission import Admission, BusyError
from gateway.http.audit_log import AuditLog
from gateway.http.denial import denied_topics
from gateway.http.invented_symbols import invented_symbols
from gateway.http.stream_fields import KindStream, StreamFields, TopicFields
from gateway.http.stream_request import StreamRequest, StreamRequests
from gateway.http.stream_response import StreamResponse, bye_alone
from gateway.wire.events import Bye, EndReason, Hello
from gateway.wire.principal import Principal
from gateway.wire.sse import SseEncoder, encoder_of
from gateway.wire.stream_id import SECRET_BYTES, StreamId

Endpoint = Callable[[Request], Awaitable[Response]]
Fields = TypeVar("Fields", bound=StreamFields)


class Streams:
    """Opens streams.

    ``now`` gives the time, RFC 3339; ``is_invented`` returns whether a symbol's data are invented.
    """

    def __init__(
        self,
        access: Access,
        audit: AuditLog,
        admission: Admission,
        requests: StreamRequests,
        subscriptions: Subscriptions,
        *,
        gateway_id: str,
        hub: Hub,
        heartbeat_seconds: float,
        now: Callable[[], str],
        is_invented: Callable[[str], bool],
    ) -> None:
        self._access = access
        self._audit = audit
        self._admission = admission
        self._requests = requests
        self._subscriptions = subscriptions
        self._gateway_id = gateway_id
        self._hub = hub
        self._heartbeat_seconds = heartbeat_seconds
        self._now = now
        self._is_invented = is_invented

    async def topics(self, request: Request) -> Response:
        """``GET /api/stream?topics=``: many kinds on one stream."""
        return await self._open(request, TopicFields, self._requests.of_topics)

    def kinds(self, stream: KindStream) -> Endpoint:
        """Return the endpoint of a stream of certain kinds: ``GET /api/stream/trades?symbols=``."""

        async def endpoint(request: Request) -> Response:
            read = partial(self._requests.of_kinds, stream)
            return await self._open(request, stream.fields, read)

        return endpoint

    async def _open(
        self,
        request: Request,
        known: type[Fields],
        read: Callable[[Fields, str | None], StreamRequest],
    ) -> Response:
        # Before anything is spent on it, above all its ticket: an EventSource repeats its URL.
        if self._hub.is_draining:
            self._audit.on_rejected(request, "shutdown")
            return bye_alone(Bye(str(self._hub.newest), "shutdown", self._hub.retry_ms()))
        # A sender that has proved nothing costs no more than its head: its body is not read, its
        # query not split, and it is not counted among those without a place.
        with self._audit.rejections(request) as sender:
            sender.principal = principal = await self._access.check_stream(request)
            try:
                return await self._open_for(principal, request, known, read)
            # The EventSource will retry with the same URL, so with the same ticket.
            except BusyError:
                await self._access.keep_ticket(request)
                raise

    async def _open_for(
        self,
        principal: Principal,
        request: Request,
        known: type[Fields],
        read: Callable[[Fields, str | None], StreamRequest],
    ) -> Response:
        # A full gateway spends nothing more on a storm of requests.
        self._admission.check_room()
        if request.method == "POST":
            given = fields.from_json(await json_body.read(request), known)
        else:
            given = fields.of_query(request, known)
        asked = read(given, request.headers.get("last-event-id"))
        allowed, denied = principal.divide(list(asked.intervals))
        if not allowed:
            raise denied_topics(principal, denied)
        # A stream with some of its topics is better than none: ``hello`` lists the denied ones.
        if denied:
            asked = replace(asked, intervals={each: asked.intervals[each] for each in allowed})
        leave = await self._place(request, principal)
        encoder = encoder_of(given.padding)
        stream_id = str(StreamId(self._gateway_id, secrets.token_hex(SECRET_BYTES)))
        opening = StreamOpening(
            stream_id=stream_id,
            intervals=asked.intervals,
            greeting=self._greeting(stream_id, asked, denied, encoder),
            encoder=encoder,
            principal=principal.name,
            on_end=self._opened(request, principal, stream_id, asked, denied, leave),
            cursor=asked.cursor,
            is_allowed=partial(self._access.allows, principal),
        )
        return StreamResponse(self._subscriptions, opening)

    def _opened(
        self,
        request: Request,
        principal: Principal,
        stream_id: str,
        asked: StreamRequest,
        denied: list[str],
        leave: Callable[[], None],
    ) -> Callable[[EndReason], None]:
        """Log a stream that was admitted; return the function to call at its end."""
        audit = self._audit
        # HEAD opens none.
        if request.method == "HEAD":
            return lambda _: leave()
        entrance = audit.on_opened(
            request, stream_id, principal, topics=len(asked.intervals), denied=len(denied)
        )

        def on_end(reason: EndReason) -> None:
            leave()
            audit.on_ended(entrance, reason)

        return on_end

    async def _place(self, request: Request, principal: Principal) -> Callable[[], None]:
        """Reserve a place, then use up the ticket; return the function that ends the place."""
        on_end = await self._admission.admit(request, principal)
        # Cancelled, or its ticket was used by another request meanwhile: the place is free again.
        with ExitStack() as undo:
            undo.callback(on_end)
            # Last, so that nothing that fails costs a ticket.
            await self._access.redeem(request)
            undo.pop_all()
        return on_end

    def _greeting(
        self, stream_id: str, asked: StreamRequest, denied: list[str], encoder: SseEncoder
    ) -> bytes:
        hello = Hello(
            stream_id=stream_id,
            server_time=self._now(),
            heartbeat_seconds=self._heartbeat_seconds,
            topics=list(asked.intervals),
            denied=denied,
            invented=invented_symbols(asked.intervals, self._is_invented),
            interval=asked.interval,
            intervals=asked.own_intervals or UNSET,
            resumed=asked.cursor is not None,
            event_id=str(self._hub.newest),
        )
        return encoder.hello(hello, self._hub.retry_ms())
