"""The endpoints that are streams, and the tickets that let browsers in."""

import secrets
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway import events
from gateway.bus.history import History
from gateway.fanout.hub import Hub
from gateway.http import stream_request
from gateway.http.access import TICKET_SECONDS, Access
from gateway.http.json_response import json_response
from gateway.http.stream_request import StreamRequest
from gateway.http.stream_response import StreamResponse
from gateway.settings import GatewaySettings


class Streams:
    """Opens streams. ``now`` gives the time, RFC 3339."""

    def __init__(
        self,
        settings: GatewaySettings,
        access: Access,
        *,
        gateway_id: str,
        hub: Hub,
        history: History,
        now: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._access = access
        self._gateway_id = gateway_id
        self._hub = hub
        self._history = history
        self._now = now

    async def prices(self, request: Request) -> Response:
        """``GET /api/stream/prices?symbols=&interval=``."""
        asked = stream_request.prices(  # first, so that a mistake in it costs no ticket
            stream_request.query_of(request.query_params.multi_items()),
            limit=self._settings.max_topics_per_client,
            interval=self._settings.update_interval_seconds,
        )
        await self._access.check_stream(request)
        return self._open(asked)

    async def issue_ticket(self, request: Request) -> Response:
        """``POST /api/stream/ticket``: what lets a browser's EventSource in."""
        self._access.check(request)
        ticket = await self._access.issue_ticket()
        return json_response({"ticket": ticket, "expires_in": TICKET_SECONDS}, 201)

    def _open(self, asked: StreamRequest) -> StreamResponse:
        stream_id = f"{self._gateway_id}-{secrets.token_hex(6)}"
        hello = events.Hello(
            stream_id=stream_id,
            server_time=self._now(),
            heartbeat_seconds=self._settings.heartbeat_seconds,
            topics=list(asked.topics),
            denied=[],
            interval=asked.interval,
            resumed=False,
            event_id=str(self._hub.newest),
        )
        return StreamResponse(
            self._hub, self._history, asked, stream_id=stream_id, greeting=events.hello(hello)
        )
