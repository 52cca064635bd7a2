"""The endpoints that are streams."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.history import History
from gateway.fanout.hub import Hub
from gateway.http import fields, json_body
from gateway.http.access import Access
from gateway.http.admission import Admission, BusyError
from gateway.http.denial import denied_topics
from gateway.http.stream_fields import KindStream, TopicFields
from gateway.http.stream_request import StreamRequest, StreamRequests
from gateway.http.stream_response import StreamResponse
from gateway.settings import GatewaySettings
from gateway.wire import events
from gateway.wire.principal import Principal
from gateway.wire.stream_id import StreamId

Endpoint = Callable[[Request], Awaitable[Response]]
Fields = TypeVar("Fields", bound=msgspec.Struct)


class Streams:
    """Opens streams. ``now`` gives the time, RFC 3339."""

    def __init__(
        self,
        settings: GatewaySettings,
        access: Access,
        admission: Admission,
        requests: StreamRequests,
        *,
        gateway_id: str,
        hub: Hub,
        history: History,
        now: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._access = access
        self._admission = admission
        self._gateway_id = gateway_id
        self._hub = hub
        self._history = history
        self._now = now
        self._requests = requests

    async def topics(self, request: Request) -> Response:
        """``GET /api/stream?topics=``: many kinds on one stream."""
        self._admission.check_room()
        asked = await _fields_of(request, TopicFields)
        return await self._open(request, self._requests.of_topics(asked, _cursor(request)))

    def kinds(self, stream: KindStream) -> Endpoint:
        """Return the endpoint of a stream of certain kinds: ``GET /api/stream/trades?symbols=``."""

        async def endpoint(request: Request) -> Response:
            self._admission.check_room()
            asked = await _fields_of(request, stream.fields)
            return await self._open(
                request, self._requests.of_kinds(stream, asked, _cursor(request))
            )

        return endpoint

    async def _open(self, request: Request, asked: StreamRequest) -> Response:
        principal = await self._access.check_stream(request)  # last: a mistake costs no ticket
        allowed, denied = principal.divide(asked.topics)
        if not allowed:
            raise denied_topics(principal, denied)
        if denied:
            asked = replace(asked, intervals={each: asked.intervals[each] for each in allowed})
        on_end = await self._admit(request, principal)
        stream_id = str(StreamId(self._gateway_id, secrets.token_hex(6)))
        hello = events.Hello(
            stream_id=stream_id,
            server_time=self._now(),
            heartbeat_seconds=self._settings.heartbeat_seconds,
            topics=list(asked.topics),
            denied=denied,
            interval=asked.interval,
            intervals=asked.own_intervals or msgspec.UNSET,
            resumed=asked.cursor is not None,
            event_id=str(self._hub.newest),
        )
        return StreamResponse(
            self._hub,
            self._history,
            asked,
            stream_id=stream_id,
            greeting=events.hello(hello, self._hub.retry_ms()),
            principal=principal.name,
            on_end=on_end,
        )

    async def _admit(self, request: Request, principal: Principal) -> Callable[[], None]:
        """Take a place for a stream, which a HEAD does not open; return what gives it back."""
        if request.method == "HEAD":
            return lambda: None
        try:
            address = request.client.host if request.client is not None else ""
            return await self._admission.admit(principal, address)
        except BusyError:
            await self._access.give_back(request, principal)
            raise


async def _fields_of(request: Request, known: type[Fields]) -> Fields:
    """Read what is asked for: the body of a POST, the query of any other method."""
    if request.method == "POST":
        return fields.from_json(await json_body.read(request), known)
    return fields.from_query(request.query_params.multi_items(), known)


def _cursor(request: Request) -> str | None:
    return request.headers.get("last-event-id")
