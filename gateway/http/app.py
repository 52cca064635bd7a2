"""The routes, and what is behind them. It starts and ends nothing."""

from collections.abc import Callable

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from gateway.bus.gateway_report import GatewayReport
from gateway.bus.history import History
from gateway.bus.stream_changes import StreamChanges
from gateway.bus.tickets import TicketStore
from gateway.fanout.hub import Hub
from gateway.http.access import Access
from gateway.http.admission import Admission, BusyError
from gateway.http.api_error import (
    ApiError,
    answer_api_error,
    answer_http_exception,
    answer_nobody,
)
from gateway.http.cors import cors
from gateway.http.health import Health
from gateway.http.openapi import OpenApi
from gateway.http.page import Page
from gateway.http.stored_values import StoredValues
from gateway.http.stream_change import ChangeRoute, StreamChange
from gateway.http.stream_fields import KIND_STREAMS
from gateway.http.stream_request import StreamRequests
from gateway.http.streams import Streams
from gateway.http.tickets import Tickets
from gateway.settings import GatewaySettings
from gateway.wire.feed_view import FeedView


def create_app(
    settings: GatewaySettings,
    client: Redis,
    *,
    hub: Hub,
    feed: FeedView,
    admission: Admission,
    changes: StreamChanges,
    report: Callable[[], GatewayReport],
    now: Callable[[], str],
) -> Starlette:
    """Return the application of a gateway.

    ``report`` gives what the gateway says of itself, ``now`` the time, RFC 3339.
    """
    access = Access(settings.api_token, TicketStore(client))
    limit = settings.max_topics_per_client
    requests = StreamRequests(limit=limit, interval=settings.update_interval_seconds)
    return Starlette(
        routes=routes(
            Streams(
                settings,
                access,
                admission,
                requests,
                gateway_id=report().gateway_id,
                hub=hub,
                history=History(client),
                now=now,
            ),
            StreamChange(access, changes, requests),
            Tickets(access, limit=limit),
            StoredValues(access, client, limit=limit),
            Health(access, client, hub=hub, feed=feed, report=report),
            Page(),
            OpenApi(limit=limit),
        ),
        middleware=cors(settings.cors_origins),
        exception_handlers={
            ApiError: answer_api_error,
            BusyError: admission.answer,
            ClientDisconnect: answer_nobody,
            HTTPException: answer_http_exception,
        },
    )


def routes(
    streams: Streams,
    stream_change: StreamChange,
    tickets: Tickets,
    stored: StoredValues,
    health: Health,
    page: Page,
    openapi: OpenApi,
) -> list[Route]:
    """Return the table of everything that is served."""
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
        ChangeRoute("/api/stream/{stream_id}", stream_change.change, methods=["PATCH"]),
        Route("/api/prices", stored.prices),
        Route("/api/bars", stored.bars),
        Route("/api/positions", stored.positions),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/openapi.json", openapi.document),
    ]
