"""The routes. An application is data handed to a constructor: see the table at the end."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway import events
from gateway.bus import gateway_report
from gateway.fanout.hub import Hub
from gateway.feed_view import FeedView
from gateway.http import stream_request
from gateway.http.access import TICKET_SECONDS, Access
from gateway.http.api_error import ApiError, answer_api_error, answer_http_exception
from gateway.http.stream_response import StreamResponse
from gateway.settings import GatewaySettings
from shared import ingest_status, keys, message, rfc3339
from shared.price import Price
from shared.redis_source import REDIS_ERRORS
from shared.topics import price_topic

_encode = msgspec.json.Encoder().encode

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_FILES = {"page.js": "text/javascript", "page.css": "text/css"}


def _json(content: object, status: int = 200) -> Response:
    return Response(_encode(content), status, {"Cache-Control": "no-store"}, "application/json")


class Gateway:
    """The endpoints and what they share. ``clock`` gives unix seconds."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        gateway_id: str,
        hub: Hub,
        feed: FeedView,
        client: Redis,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.gateway_id = gateway_id
        self.hub = hub
        self.feed = feed
        self.draining = False
        self._client = client
        self._clock = clock
        self._started = self._now()
        self._access = Access(settings.api_token, client)
        self._page = {
            name: files("gateway.http").joinpath("page", name).read_bytes()
            for name in ("index.html", *PAGE_FILES)
        }

    async def stream_prices(self, request: Request) -> Response:
        """``GET /api/stream/prices?symbols=&interval=``."""
        asked = stream_request.prices(  # first, so that a mistake in it costs no ticket
            _query(request),
            limit=self.settings.max_topics_per_client,
            interval=self.settings.update_interval_seconds,
        )
        await self._access.check_stream(request)
        stream_id = f"{self.gateway_id}-{secrets.token_hex(6)}"
        hello = events.Hello(
            stream_id=stream_id,
            server_time=self._now(),
            heartbeat_seconds=self.settings.heartbeat_seconds,
            topics=list(asked.topics),
            denied=[],
            interval=asked.interval,
            resumed=False,
            event_id=str(self.hub.newest),
        )
        return StreamResponse(
            self.hub, asked, stream_id=stream_id, greeting=events.hello(hello), now=self._now
        )

    async def issue_ticket(self, request: Request) -> Response:
        """``POST /api/stream/ticket``: what lets a browser's EventSource in."""
        self._access.check(request)
        ticket = await self._access.issue_ticket()
        return _json({"ticket": ticket, "expires_in": TICKET_SECONDS}, 201)

    async def status(self, request: Request) -> Response:
        """``GET /api/stream/status``: read from Redis at this moment, so that it is true."""
        self._access.check(request)
        try:
            stored: Any = await self._client.get(keys.INGEST_STATUS)
            reports = await gateway_report.read_all(self._client)
        except REDIS_ERRORS as error:
            return _json(self._status(None, [], str(error)))
        return _json(self._status(stored, reports, None))

    def _status(
        self,
        stored: bytes | None,
        gateways: list[gateway_report.GatewayReport],
        redis_error: str | None,
    ) -> dict[str, Any]:
        mine = gateway_report.report_of(self.gateway_id, self.hub, self.feed, self._started)
        others = [other for other in gateways if other.gateway_id != self.gateway_id]
        report = None
        with suppress(msgspec.DecodeError):  # none, or of another version
            report = ingest_status.decode(stored or b"")
        active = [] if report is None else report.active_symbols
        return {
            "alpaca_connected": report is not None and report.alpaca_connected,
            "active_symbols": active,
            "stream_count": len(active),
            "session": "unknown" if report is None else report.session,
            "clients": sum(each.clients for each in (mine, *others)),
            "feed": self.feed.event,
            "ingest": None if report is None else msgspec.Raw(stored or b""),
            "gateways": [mine, *others],
            "redis": {"connected": redis_error is None, "error": redis_error},
        }

    async def prices(self, request: Request) -> Response:
        """``GET /api/prices?symbols=``: the stored values once."""
        self._access.check(request)
        symbols = stream_request.symbols_of(_query(request), self.settings.max_topics_per_client)
        try:
            stored: list[Any] = await self._client.mget(
                [keys.last_key(price_topic(symbol)) for symbol in symbols]
            )
        except REDIS_ERRORS as error:
            raise ApiError(
                503,
                "redis_unavailable",
                f"the stored prices cannot be read: {error}",
                "try again in a moment; /readyz says when",
                {"Retry-After": "2"},
            ) from error
        return _json({"prices": {s: _price(s, v) for s, v in zip(symbols, stored, strict=True)}})

    async def healthz(self, _: Request) -> Response:
        """``GET /healthz``: the process is alive."""
        return _json({"alive": True})

    async def readyz(self, _: Request) -> Response:
        """``GET /readyz``: 200 while streams can be served, else 503 with the reason."""
        reason = None
        if self.draining:
            reason = "shutting down"
        elif not self.feed.redis_connected:
            reason = self.feed.event.reason
        body = {"ready": reason is None, "reason": reason, "feed_state": self.feed.event.state}
        return _json(body, 200 if reason is None else 503)

    async def page(self, _: Request) -> Response:
        """``GET /``: a watchlist."""
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return HTMLResponse(self._page["index.html"], headers=headers)

    async def page_file(self, request: Request) -> Response:
        """``GET /page/{name}``: the page's script and style."""
        name = request.path_params["name"]
        if name not in PAGE_FILES:
            raise HTTPException(404)
        return Response(
            self._page[name], media_type=PAGE_FILES[name], headers={"Cache-Control": "no-cache"}
        )

    async def report(self) -> None:
        """Write this gateway's report to Redis."""
        await gateway_report.store(
            self._client,
            gateway_report.report_of(self.gateway_id, self.hub, self.feed, self._started),
        )

    def _now(self) -> str:
        return rfc3339.from_unix(self._clock())


def _query(request: Request) -> dict[str, str]:
    """Return the query; ``symbols`` given several times are one list."""
    symbols = request.query_params.getlist("symbols")
    return {**request.query_params, "symbols": ",".join(symbols)}


def _price(symbol: str, stored: bytes | None) -> object:
    if stored is not None:
        with suppress(ValueError):  # not of ours
            return msgspec.Raw(message.unpack(stored).body)
    return Price(symbol=symbol, reason="no_trade_seen")


def create_app(gateway: Gateway) -> Starlette:
    """Return the application of a gateway; it starts and ends nothing."""
    return Starlette(
        routes=[
            Route("/", gateway.page),
            Route("/page/{name}", gateway.page_file),
            Route("/api/stream/prices", gateway.stream_prices),
            Route("/api/stream/status", gateway.status),
            Route("/api/stream/ticket", gateway.issue_ticket, methods=["POST"]),
            Route("/api/prices", gateway.prices),
            Route("/healthz", gateway.healthz),
            Route("/readyz", gateway.readyz),
        ],
        exception_handlers={
            ApiError: answer_api_error,
            HTTPException: answer_http_exception,
        },
    )
