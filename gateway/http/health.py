"""The health of this gateway, and of the whole system as Redis has it at this moment."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.gateway_report import GatewayReport
from gateway.bus.reports import Reports
from gateway.fanout.hub import Hub
from gateway.http.access import Access
from gateway.http.json_response import json_response
from gateway.wire.feed_view import FeedView
from shared import ingest_status
from shared.bus.errors import BusError


class Health:
    """The endpoints for operators and load balancers. ``report`` gives this gateway's own."""

    def __init__(
        self,
        access: Access,
        reports: Reports,
        *,
        hub: Hub,
        feed: FeedView,
        report: Callable[[], GatewayReport],
    ) -> None:
        self._access = access
        self._reports = reports
        self._hub = hub
        self._feed = feed
        self._report = report

    async def alive(self, _: Request) -> Response:
        """``GET /healthz``: the process is alive."""
        return json_response({"alive": True})

    async def ready(self, _: Request) -> Response:
        """``GET /readyz``: 200 if streams can be served, else 503 with the reason."""
        reason = None
        if self._hub.is_draining:
            reason = "shutting down"
        # Without Redis a stream would open without prices; another gateway may still reach it. A
        # missing ingest is no reason: it is missing for all gateways alike.
        elif not self._feed.redis_connected:
            reason = self._feed.event.reason
        body = {"ready": reason is None, "reason": reason, "feed_state": self._feed.event.state}
        return json_response(body, 200 if reason is None else 503)

    async def status(self, request: Request) -> Response:
        """``GET /api/stream/status``: read from Redis now, not from memory, so it is current.

        It answers 200 even if Redis is unreachable: that is the moment at which operators ask.
        """
        self._access.check(request)
        try:
            stored = await self._reports.ingest()
            gateways = await self._reports.gateways()
        except BusError as error:
            return json_response(self._status(None, [], str(error)))
        return json_response(self._status(stored, gateways, None))

    def _status(
        self,
        stored: bytes | None,
        gateways: list[GatewayReport],
        redis_error: str | None,
    ) -> dict[str, Any]:
        # Its stored report is up to five seconds old; its present state replaces it.
        mine = self._report()
        others = [other for other in gateways if other.gateway_id != mine.gateway_id]
        report = None
        with suppress(msgspec.DecodeError):  # there is none, or another version wrote it
            report = ingest_status.decode(stored or b"")
        active = [] if report is None else report.active_symbols
        return {
            "alpaca_connected": report is not None and report.alpaca_connected,
            "active_symbols": active,
            "stream_count": len(active),
            "session": "unknown" if report is None else report.session,
            "clients": sum(each.clients for each in (mine, *others)),
            "busy": sum(each.busy for each in (mine, *others)),
            "feed": self._feed.event,
            "ingest": None if report is None else msgspec.Raw(stored or b""),
            "gateways": [mine, *others],
            "redis": {"connected": redis_error is None, "error": redis_error},
        }
