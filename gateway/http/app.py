"""The routes and the endpoints behind them. Nothing is started or ended here."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from gateway.bus.ingest_requests import IngestRequestError
from gateway.http.admission import BusyError
from gateway.http.api_error import (
    ApiError,
    answer_api_error,
    answer_http_exception,
    answer_incomplete,
    answer_ingest_request_error,
)
from gateway.http.assets import AssetsEndpoint
from gateway.http.chart_bars import ChartBarsEndpoint
from gateway.http.cors import cors
from gateway.http.event_source_answers import EventSourceAnswers
from gateway.http.health import Health
from gateway.http.openapi import OpenApi
from gateway.http.option_chain import OptionChainEndpoint
from gateway.http.page import Page
from gateway.http.stored_values import StoredValues
from gateway.http.stream_change import ChangeRoute, StreamChange
from gateway.http.stream_fields import KIND_STREAMS
from gateway.http.streams import Streams
from gateway.http.tickets import Tickets
from gateway.http.token_streams import TokenStreams
from gateway.http.udf import Udf
from gateway.http.udf_errors import in_udf_form
from shared.bus.errors import BusError


@dataclass(frozen=True)
class Endpoints:
    """The objects whose methods answer requests."""

    streams: Streams
    stream_change: StreamChange
    tickets: Tickets
    token_streams: TokenStreams
    stored: StoredValues
    chart_bars: ChartBarsEndpoint
    assets: AssetsEndpoint
    options: OptionChainEndpoint
    udf: Udf
    health: Health
    page: Page
    openapi: OpenApi


def create_app(
    endpoints: Endpoints, answers: EventSourceAnswers, cors_origins: Sequence[str]
) -> Starlette:
    """Return the application of a gateway."""
    app = Starlette(
        routes=routes(endpoints),
        middleware=cors(cors_origins),
        exception_handlers=in_udf_form(
            {
                ApiError: answer_api_error,
                BusError: answers.bus_error,
                BusyError: answers.busy,
                ClientDisconnect: answer_incomplete,
                HTTPException: answer_http_exception,
                IngestRequestError: answer_ingest_request_error,
            }
        ),
    )
    # Starlette would redirect /api/prices/ to the host that the client names, which may be any.
    app.router.redirect_slashes = False
    return app


def routes(endpoints: Endpoints) -> list[Route]:
    """Return the table of all routes."""
    streams, page, stored = endpoints.streams, endpoints.page, endpoints.stored
    health, tickets, udf = endpoints.health, endpoints.tickets, endpoints.udf
    return [
        Route("/", page.index),
        Route("/assets/{name}", page.asset),
        Route("/licenses.txt", page.licences),
        Route("/api/stream", streams.topics, methods=["GET", "POST"]),
        *(
            Route(f"/api/stream/{name}", streams.kinds(stream), methods=["GET", "POST"])
            for name, stream in KIND_STREAMS.items()
        ),
        Route("/api/stream/status", health.status),
        Route("/api/stream/ticket", tickets.issue, methods=["POST"]),
        # Matches only ids of streams, so a PATCH of the paths above stays a wrong method.
        ChangeRoute("/api/stream/{stream_id}", endpoints.stream_change.change, methods=["PATCH"]),
        Route("/api/tokens/{principal}/streams", endpoints.token_streams.end, methods=["DELETE"]),
        Route("/api/prices", stored.prices),
        Route("/api/bars", endpoints.chart_bars.bars),
        Route("/api/assets", endpoints.assets.assets),
        Route("/api/options/{underlying}", endpoints.options.chain),
        Route("/api/udf/config", udf.config),
        Route("/api/udf/symbols", udf.symbols),
        Route("/api/udf/search", udf.search),
        Route("/api/udf/history", udf.history),
        Route("/api/udf/time", udf.time),
        Route("/api/positions", stored.positions),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/openapi.json", endpoints.openapi.document),
    ]
