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
from gateway.wire.feed_view import DOWN, FeedView
from shared import ingest_status
from shared.bus.errors import BusBusyError, BusError, BusRejectedError
from shared.bus.rejections import Rejections, explained
from shared.event_id import EventId
from shared.ingest_status import IngestStatus

FOR_OPERATORS = ("active_symbols", "ingest", "discrepancy", "gateways")
"""The fields of the status that name symbols and gateways: null for tokens with other scopes."""


class Health:
    """The endpoints for operators and load balancers. ``report`` gives this gateway's own."""

    def __init__(
        self,
        access: Access,
        reports: Reports,
        *,
        hub: Hub,
        feed: FeedView,
        rejections: Rejections,
        report: Callable[[], GatewayReport],
    ) -> None:
        self._access = access
        self._reports = reports
        self._hub = hub
        self._feed = feed
        self._rejections = rejections
        self._report = report

    async def alive(self, _: Request) -> Response:
        """``GET /healthz``: the process is alive."""
        return json_response({"alive": True})

    async def ready(self, _: Request) -> Response:
        """``GET /readyz``: 200 if streams can be served, else 503; ``reason`` names any problem."""
        feed = self._feed.event
        # Without Redis a stream would open without prices; another gateway may still reach it. An
        # ingest that is missing, or a full Redis, is no reason to send clients elsewhere: all
        # gateways have the same one.
        is_ready = self._feed.redis_connected and not self._hub.is_draining
        reason = "shutting down" if self._hub.is_draining else self._rejections.reason
        if reason is None and feed.state == DOWN:
            reason = feed.reason
        body = {"ready": is_ready, "reason": reason, "feed_state": feed.state}
        return json_response(body, 200 if is_ready else 503)

    async def status(self, request: Request) -> Response:
        """``GET /api/stream/status``: the feed as this gateway shows it, and Redis' reports.

        It answers 200 even if Redis is unreachable: that is the moment at which operators ask.
        """
        principal = self._access.check(request)
        stored, gateways = None, []
        error = self._rejections.reason or self._feed.publish_error
        is_reachable = True
        try:
            stored = await self._reports.ingest()
            gateways = await self._reports.gateways()
        except BusRejectedError as rejected:
            error = f"Redis rejects the request: {explained(rejected)}"
        except BusBusyError as busy:  # which says nothing about Redis
            error = str(busy)
        except BusError as lost:
            is_reachable, error = False, str(lost)
        redis = {"connected": is_reachable, "error": error}
        status = self._status(stored, gateways, redis)
        # Others' symbols show what they watch, and in which symbols positions are open.
        if not principal.sees_others:
            status |= dict.fromkeys(FOR_OPERATORS)
        return json_response(status)

    def _status(
        self, stored: bytes | None, gateways: list[GatewayReport], redis: dict[str, Any]
    ) -> dict[str, Any]:
        # Its stored report is up to five seconds old; its present state replaces it.
        mine = self._report()
        others = [other for other in gateways if other.gateway_id != mine.gateway_id]
        report = _report_of(stored)
        # Clients are shown the reports that arrived here, so these count.
        shown = self._feed.report
        active = [] if shown is None else shown.active_symbols
        newest = _newer(report, shown)
        # As it is stored: an ingest of a later version may report more than is known here.
        ingest = msgspec.Raw(stored or b"") if newest is not None and newest is report else newest
        return {
            "alpaca_connected": self._feed.event.alpaca_connected,
            "active_symbols": active,
            "stream_count": len(active),
            "session": self._feed.event.session,
            "clients": sum(each.clients for each in (mine, *others)),
            "busy": sum(each.busy for each in (mine, *others)),
            "unauthorized": sum(each.unauthorized for each in (mine, *others)),
            "feed": self._feed.event,
            "ingest": ingest,
            "discrepancy": self._discrepancy(report) if redis["connected"] else None,
            "gateways": [mine, *others],
            "redis": redis,
        }

    def _discrepancy(self, stored: IngestStatus | None) -> str | None:
        """Return a sentence if the report in Redis is not the one that clients are shown."""
        feed, shown = self._feed.event, self._feed.report
        if stored is None:
            if shown is None:
                return None
            return f"Redis stores no report, but this gateway received {shown.event_id} from it"
        if (stored.state, stored.alpaca_connected) == (feed.state, feed.alpaca_connected):
            return None
        received = "none lately" if shown is None else shown.event_id
        return (
            f"the report {stored.event_id} in Redis says {stored.state}, but this gateway shows "
            f"its clients {feed.state} ({feed.reason or 'no reason given'}); of the ingest's "
            f"reports it received {received}"
        )


def _report_of(stored: bytes | None) -> IngestStatus | None:
    """Return the report in Redis; None if there is none, or another version or program wrote it."""
    with suppress(msgspec.DecodeError, ValueError):
        report = ingest_status.decode(stored or b"")
        EventId.parse(report.event_id)
        return report
    return None


def _newer(stored: IngestStatus | None, received: IngestStatus | None) -> IngestStatus | None:
    """Return the newer of two reports: a full Redis publishes reports that it cannot store."""
    if stored is None or received is None:
        return stored or received
    is_newer = EventId.parse(received.event_id) > EventId.parse(stored.event_id)
    return received if is_newer else stored
