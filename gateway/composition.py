"""The parts of a gateway and how they are connected: ``compose``, then ``compose_app``."""

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from starlette.types import ASGIApp

from gateway.bus.asset_list import StoredAssets
from gateway.bus.bar_history import BarHistory
from gateway.bus.gateway_report import GatewayReport, report_of
from gateway.bus.history import History
from gateway.bus.inbox import Handlers, Inbox
from gateway.bus.ingest_bars import IngestBars
from gateway.bus.ingest_requests import IngestRequests, Replied
from gateway.bus.interest_claims import InterestClaims
from gateway.bus.last_values import LastValues
from gateway.bus.lease_watch import LeaseWatch
from gateway.bus.malformed import MalformedData
from gateway.bus.positions import Positions
from gateway.bus.redis_clients import GatewayRedisClients
from gateway.bus.reports import Reports
from gateway.bus.stream_changes import Change, Changed, StreamChanges
from gateway.bus.stream_claims import StreamClaims
from gateway.bus.stream_endings import End, Ended, StreamEndings, StreamsHere
from gateway.bus.subscriber import Subscriber
from gateway.bus.subscriptions import Subscriptions
from gateway.bus.tickets import TicketStore
from gateway.fanout.hub import Hub
from gateway.http.access import Access
from gateway.http.admission import Admission
from gateway.http.app import Endpoints, create_app
from gateway.http.assets import AssetsEndpoint, ListedAssets
from gateway.http.audit_log import AuditLog
from gateway.http.chart_bars import ChartBarsEndpoint
from gateway.http.event_source_answers import EventSourceAnswers
from gateway.http.failed_attempts import FailedAttempts
from gateway.http.health import Health
from gateway.http.held_rows import HeldRows
from gateway.http.host_check import HostCheck
from gateway.http.last_answers import LastAnswers
from gateway.http.open_files import OpenFiles
from gateway.http.openapi import OpenApi
from gateway.http.option_chain import OptionChainEndpoint
from gateway.http.page import Page
from gateway.http.security_headers import SecurityHeaders
from gateway.http.stored_values import StoredValues
from gateway.http.stream_change import StreamChange
from gateway.http.stream_request import StreamRequests
from gateway.http.streams import Streams
from gateway.http.ticket_budget import TicketBudgets
from gateway.http.tickets import Tickets
from gateway.http.token_streams import TokenStreams
from gateway.http.udf import Udf
from gateway.settings import GatewaySettings
from gateway.token_file import Grants, TokenFileWatch
from gateway.wire.allowed_hosts import LOOPBACK, AllowedHosts
from gateway.wire.feed_view import FeedView
from gateway.wire.token_table import TokenTable
from shared import rfc3339
from shared.bus.rejections import Rejections

RETRY_MS = (300, 2_000)
"""Clients whose stream ends reconnect after a random time in this range, not all at once."""

BUSY_RETRY_MS = (5_000, 15_000)
"""The same for clients that a full gateway rejects."""

UNAVAILABLE_RETRY_MS = (2_000, 5_000)
"""The same for clients of a gateway that cannot reach Redis."""


DEFAULT_LIMITS = MappingProxyType({"principal": 5_000, "address": 1_000})
"""Half of a full gateway: no token takes all places. And the users of a large office, or of a
carrier's shared address."""


@dataclass(frozen=True)
class Surroundings:
    """Time, chance, and the source of the data.

    ``clock`` gives unix seconds; ``randomness`` spreads retries. ``is_invented`` returns whether
    the data of a symbol are invented: by a simulator in the same process, and by none elsewhere.
    """

    clock: Callable[[], float] = time.time
    randomness: random.Random = field(default_factory=random.Random)
    is_invented: Callable[[str], bool] = lambda _: False

    def now(self) -> str:
        """Return the time, RFC 3339."""
        return rfc3339.from_unix(self.clock())

    def within(self, bounds: tuple[int, int]) -> Callable[[], int]:
        """Return a function that draws a number within bounds."""
        return partial(self.randomness.randint, *bounds)


@dataclass(frozen=True)
class Gateway:
    """The parts of a gateway that have a state or a loop. ``started``: RFC 3339."""

    gateway_id: str
    hub: Hub
    feed: FeedView
    interest: InterestClaims
    subscriptions: Subscriptions
    inbox: Inbox
    requests: IngestRequests
    changes: StreamChanges
    endings: StreamEndings
    tokens: TokenTable
    token_watch: TokenFileWatch | None
    audit: AuditLog
    subscriber: Subscriber
    claims: StreamClaims
    admission: Admission
    attempts: FailedAttempts
    reports: Reports
    rejections: Rejections
    started: str

    def report(self) -> GatewayReport:
        """Return the present report."""
        return report_of(
            self.gateway_id,
            self.hub,
            self.feed,
            self.subscriber.unverified.foreign,
            self.subscriber.malformed,
            busy=self.admission.busy,
            unauthorized=self.attempts.total,
            tasks=len(asyncio.all_tasks()),
            started=self.started,
        )


def compose(
    settings: GatewaySettings, redis: GatewayRedisClients, around: Surroundings, files: OpenFiles
) -> Gateway:
    """Construct the parts of a gateway; none of them runs yet."""
    commands, names, gateway_id = redis.commands, redis.keyspace, _gateway_id()
    resubscribe, reclaim, rejections = asyncio.Event(), asyncio.Event(), Rejections()
    hub = _hub(settings, around, [resubscribe.set, reclaim.set])
    interest = _interest(redis, hub, gateway_id, reclaim, rejections, malformed := MalformedData())
    feed, lease = _feed(around, hub, interest, rejections), LeaseWatch(commands, names, hub)
    subscriptions = _subscriptions(settings, redis, hub, lease, malformed)
    reports, tokens = Reports(commands, names, malformed), TokenTable(settings.grants)
    inbox = _inbox(redis, gateway_id, subscriptions, here := StreamsHere(hub), reports, rejections)
    return Gateway(
        gateway_id=gateway_id,
        hub=hub,
        feed=feed,
        interest=interest,
        subscriptions=subscriptions,
        inbox=inbox,
        requests=IngestRequests(commands, names, inbox, malformed),
        changes=StreamChanges(inbox, subscriptions.change),
        endings=StreamEndings(inbox, reports, here),
        tokens=tokens,
        token_watch=_token_watch(settings, tokens, here),
        audit=AuditLog(settings.audit_log, around.clock),
        subscriber=Subscriber(
            redis,
            hub,
            feed,
            lease,
            gateway_id=gateway_id,
            changed=resubscribe,
            on_inbox=inbox.on_message,
            on_connect=interest.on_connected,
            malformed=malformed,
            rejections=rejections,
            jitter=around.randomness.random,
        ),
        claims=(claims := StreamClaims(commands, names, gateway_id, _limits(settings), rejections)),
        admission=_admission(settings, around, claims, files),
        attempts=FailedAttempts(around.clock),
        reports=reports,
        rejections=rejections,
        started=around.now(),
    )


def _interest(
    redis: GatewayRedisClients,
    hub: Hub,
    gateway_id: str,
    changed: asyncio.Event,
    rejections: Rejections,
    malformed: MalformedData,
) -> InterestClaims:
    commands, names = redis.commands, redis.keyspace
    values = LastValues(commands, names, malformed)
    return InterestClaims(commands, names, hub, gateway_id, changed, rejections, values)


def _gateway_id() -> str:
    return f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"


def _subscriptions(
    settings: GatewaySettings,
    redis: GatewayRedisClients,
    hub: Hub,
    lease: LeaseWatch,
    malformed: MalformedData,
) -> Subscriptions:
    history = History(redis.commands, redis.keyspace, malformed)
    limit = settings.max_topics_per_client
    return Subscriptions(hub, history, lease, redis.barrier, limit=limit)


def _inbox(
    redis: GatewayRedisClients,
    gateway_id: str,
    subscriptions: Subscriptions,
    here: StreamsHere,
    reports: Reports,
    rejections: Rejections,
) -> Inbox:
    handlers: Handlers = {Change: subscriptions.change, End: here.answer}
    return Inbox(
        redis.commands,
        redis.keyspace,
        gateway_id,
        handlers,
        (Changed, Ended, Replied),
        rejections=rejections,
        has_ended=reports.has_ended,
    )


def _feed(
    around: Surroundings, hub: Hub, interest: InterestClaims, rejections: Rejections
) -> FeedView:
    return FeedView(
        clock=around.clock,
        newest=lambda: hub.newest,
        announce=hub.announce_feed,
        redis_rejects=lambda: rejections.reason,
        on_epoch=interest.on_epoch,
    )


def compose_app(
    settings: GatewaySettings, redis: GatewayRedisClients, gateway: Gateway, around: Surroundings
) -> ASGIApp:
    """Construct the endpoints and their application."""
    tickets = TicketStore(redis.commands, redis.keyspace, gateway.subscriber.malformed)
    access = Access(gateway.tokens, tickets, gateway.attempts)
    limit = settings.max_topics_per_client
    budgets = TicketBudgets(settings.max_tickets_per_minute, around.clock)
    requests = StreamRequests(limit=limit, interval=settings.update_interval_seconds)
    bars, held = _bar_history(redis, gateway), HeldRows()
    stored = StoredAssets(redis.commands, redis.keyspace, gateway.subscriber.malformed)
    listed = ListedAssets(stored)
    endpoints = Endpoints(
        streams=_streams(settings, access, gateway, requests, around),
        stream_change=StreamChange(
            access, gateway.audit, gateway.changes, requests, around.is_invented
        ),
        tickets=Tickets(access, budgets, limit=limit),
        token_streams=TokenStreams(access, gateway.endings),
        stored=_stored_values(redis, access, gateway.subscriber.malformed, limit),
        chart_bars=ChartBarsEndpoint(access, bars, held, limit=limit),
        assets=AssetsEndpoint(access, listed),
        options=OptionChainEndpoint(
            access, gateway.requests, held, lambda: gateway.feed.report is not None
        ),
        udf=Udf(access, bars, held, listed, around.clock),
        health=_health(access, gateway),
        page=Page(),
        openapi=OpenApi(limit=limit),
    )
    answers = EventSourceAnswers(
        newest=lambda: gateway.hub.newest,
        retry_ms=around.within(UNAVAILABLE_RETRY_MS),
        rejections=gateway.rejections,
    )
    app = create_app(endpoints, answers, settings.cors_origins)
    served = SecurityHeaders(HostCheck(app, _allowed_hosts(settings)))
    return LastAnswers(served, lambda: gateway.hub.is_draining)


def _streams(
    settings: GatewaySettings,
    access: Access,
    gateway: Gateway,
    requests: StreamRequests,
    around: Surroundings,
) -> Streams:
    return Streams(
        access,
        gateway.audit,
        gateway.admission,
        requests,
        gateway.subscriptions,
        gateway_id=gateway.gateway_id,
        hub=gateway.hub,
        heartbeat_seconds=settings.heartbeat_seconds,
        now=around.now,
        is_invented=around.is_invented,
    )


def _health(access: Access, gateway: Gateway) -> Health:
    return Health(
        access,
        gateway.reports,
        hub=gateway.hub,
        feed=gateway.feed,
        rejections=gateway.rejections,
        report=gateway.report,
    )


def _bar_history(redis: GatewayRedisClients, gateway: Gateway) -> BarHistory:
    older = IngestBars(gateway.requests, lambda: gateway.feed.report is not None)
    return BarHistory(redis.commands, redis.keyspace, gateway.subscriber.malformed, older)


def _stored_values(
    redis: GatewayRedisClients, access: Access, malformed: MalformedData, limit: int
) -> StoredValues:
    return StoredValues(
        access,
        prices=LastValues(redis.commands, redis.keyspace, malformed),
        # A request shows the stored values as they are; no stream depends on their ids.
        positions=Positions(redis.commands, redis.keyspace, malformed, lambda *_: True),
        limit=limit,
    )


def _token_watch(
    settings: GatewaySettings, tokens: TokenTable, here: StreamsHere
) -> TokenFileWatch | None:
    """Return the watch of ``API_TOKEN_FILE``, if it is set."""
    if settings.api_token_file is None:
        return None

    async def replace(grants: Grants) -> None:
        # The tokens first: a stream that ends returns within a second.
        await here.end(tokens.replace(grants))

    return TokenFileWatch(settings.api_token_file, settings.with_file, replace)


def _allowed_hosts(settings: GatewaySettings) -> AllowedHosts:
    """Return the names to serve: by default all, or this machine's own if there is no token."""
    # Without a token the name is all that distinguishes the owner's page from a stranger's.
    default = ("*",) if settings.grants else ()
    return AllowedHosts((*LOOPBACK, *(settings.allowed_hosts or default)))


def _hub(
    settings: GatewaySettings, around: Surroundings, on_change: Sequence[Callable[[], None]]
) -> Hub:
    # It exists before the two parts that follow its topics. Each clears its event itself.
    return Hub(
        asyncio.get_running_loop(),
        flush_interval=settings.flush_interval_ms / 1000,
        clock=around.clock,
        retry_ms=around.within(RETRY_MS),
        on_change=on_change,
    )


def _admission(
    settings: GatewaySettings, around: Surroundings, claims: StreamClaims, files: OpenFiles
) -> Admission:
    return Admission(
        files.streams,
        claims,
        retry_ms=around.within(BUSY_RETRY_MS),
        on_full=files.on_streams_full,
        spares_private=settings.max_streams_per_address is None,
    )


def _limits(settings: GatewaySettings) -> dict[str, int]:
    """Return the limits that hold over all gateways, by the property that is counted."""
    given = {
        "principal": settings.max_streams_per_principal,
        "address": settings.max_streams_per_address,
    }
    # Without a token only this machine can open streams.
    default = DEFAULT_LIMITS if settings.grants else {}
    limits = {
        counted: default.get(counted, 0) if limit is None else limit
        for counted, limit in given.items()
    }
    return {counted: limit for counted, limit in limits.items() if limit}
