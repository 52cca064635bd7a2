"""A gateway put together, run, and ended in the right order."""

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from gateway.bus import gateway_report
from gateway.bus.gateway_report import GatewayReport
from gateway.bus.interest import Interest
from gateway.bus.stream_changes import StreamChanges
from gateway.bus.stream_claims import StreamClaims
from gateway.bus.stream_topics import StreamTopics
from gateway.bus.subscriber import Subscriber
from gateway.fanout.hub import Hub
from gateway.http import open_files
from gateway.http.admission import Admission
from gateway.http.app import create_app
from gateway.http.listener import listen
from gateway.http.server import Server, make_server
from gateway.settings import GatewaySettings
from gateway.wire import events
from gateway.wire.feed_view import FeedView
from shared import rfc3339
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS, RedisSource
from shared.cancellation import cancel

log = structlog.get_logger()

HOUSEKEEPING_SECONDS = 0.1
REPORT_SECONDS = 5.0
STREAMS_ENDED_PER_SECOND = 200
"""How fast a draining gateway says goodbye at most, so that a few streams do not take long."""

KERNEL_PATIENCE_SECONDS = 10.0
"""How much longer than ``SLOW_CLIENT_SECONDS`` the kernel bears a peer that takes nothing: to it,
one that does not read and one that is not there any more are the same."""

RETRY_MS = (500, 3_000)
"""Clients come back after a random time in this range, so that they do not come all at once."""

BUSY_RETRY_MS = (5_000, 15_000)
"""The same for those for whom there was no room."""


class GatewayService:
    """One gateway. ``run`` serves until ``stop`` is set, then drains."""

    def __init__(self, settings: GatewaySettings, source: RedisSource) -> None:
        self._settings = settings
        self._source = source
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self.listener: socket.socket | None = None

    def bind(self) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the address cannot be used.
        """
        self.listener = listen(
            self._settings.host,
            self._settings.port,
            patience_seconds=self._settings.slow_client_seconds + KERNEL_PATIENCE_SECONDS,
        )
        if remedy := open_files.shortage(open_files.raise_limit(), self._settings.max_clients):
            log.warning("too few open files", remedy=remedy)
        port: int = self.listener.getsockname()[1]
        return port

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``; whatever fails inside comes out."""
        if self.listener is None:
            self.bind()
        async with self._source.client("gateway") as client:
            gateway_id = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
            hub, feed, interest = self._assemble(client, gateway_id)
            topics = StreamTopics(hub, limit=self._settings.max_topics_per_client)
            changes = StreamChanges(client, gateway_id, topics.change)
            subscriber = Subscriber(
                self._source,
                hub,
                feed,
                inbox=keys.gateway_key(gateway_id),
                on_message=changes.hear,
                on_connect=interest.redis_connected,
            )
            hub.on_change += [subscriber.topics_changed, interest.topics_changed]
            claims = StreamClaims(client, gateway_id, _limits(self._settings))
            server, report = self._server(client, gateway_id, hub, feed, claims, changes)
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(work)
                    for work in (
                        subscriber.run(),
                        interest.run(),
                        changes.run(),
                        claims.run(),
                        self._housekeep(hub, feed),
                        self._heartbeat(hub, feed),
                        _every(REPORT_SECONDS, lambda: gateway_report.store(client, report())),
                    )
                ]
                serving = tasks.create_task(self._serve(server, stop))
                log.info("gateway listening", host=self._settings.host, gateway_id=gateway_id)
                await stop.wait()
                await self._drain(hub)
                server.should_exit = True
                await serving
                await cancel(*background)

    def _assemble(self, client: Redis, gateway_id: str) -> tuple[Hub, FeedView, Interest]:
        hub = Hub(
            asyncio.get_running_loop(),
            flush_interval=self._settings.flush_interval_ms / 1000,
            clock=time.time,
            retry_ms=lambda: self._random.randint(*RETRY_MS),
        )
        interest = Interest(client, hub, gateway_id)
        feed = FeedView(
            clock=time.time,
            newest=lambda: hub.newest,
            announce=hub.announce_feed,
            on_epoch=interest.epoch_began,
        )
        hub.feed.frame = events.feed(feed.event)
        return hub, feed, interest

    def _server(
        self,
        client: Redis,
        gateway_id: str,
        hub: Hub,
        feed: FeedView,
        claims: StreamClaims,
        changes: StreamChanges,
    ) -> tuple[Server, Callable[[], GatewayReport]]:
        started = _now()
        admission = Admission(
            self._settings.max_clients,
            claims,
            newest=lambda: hub.newest,
            retry_ms=lambda: self._random.randint(*BUSY_RETRY_MS),
        )

        def report() -> GatewayReport:
            return gateway_report.report_of(
                gateway_id, hub, feed, busy=admission.busy, started=started
            )

        app = create_app(
            self._settings,
            client,
            hub=hub,
            feed=feed,
            admission=admission,
            changes=changes,
            report=report,
            now=_now,
        )
        server = make_server(
            app,
            access_log=self._settings.access_log,
            forwarded_allow_ips=self._settings.forwarded_allow_ips,
        )
        return server, report

    async def _serve(self, server: Server, stop: asyncio.Event) -> None:
        assert self.listener is not None  # noqa: S101 - run() has bound it
        await server.serve(sockets=[self.listener])
        if not stop.is_set():
            raise RuntimeError("the HTTP server ended by itself")

    async def _housekeep(self, hub: Hub, feed: FeedView) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            feed.refresh()
            hub.drop_idle()
            hub.flusher.wake_readers()
            for client in hub.flusher.stalled_longer_than(self._settings.slow_client_seconds):
                log.info("slow client cut", stream_id=client.stream_id)
                hub.end(client, "slow")
                client.sink.abort()

    async def _heartbeat(self, hub: Hub, feed: FeedView) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            heartbeat = events.Heartbeat(
                event_id=str(hub.cursor),
                server_time=_now(),
                feed_state=feed.event.state,
                session=feed.event.session,
                lag_ms=feed.event.lag_ms,
            )
            hub.broadcast(events.heartbeat(hub.cursor, heartbeat))

    async def _drain(self, hub: Hub) -> None:
        """Say goodbye to every stream, one after the other over the drain time."""
        hub.draining = True
        clients = list(hub.clients.values())
        self._random.shuffle(clients)
        seconds = min(self._settings.drain_seconds, len(clients) / STREAMS_ENDED_PER_SECOND)
        log.info("gateway draining", streams=len(clients), seconds=round(seconds, 2))
        for client in clients:
            if not client.left:
                hub.end(client, "shutdown")
            await asyncio.sleep(seconds / len(clients))


def _limits(settings: GatewaySettings) -> dict[str, int]:
    """Return the limits that hold over all gateways, by what each is counted by."""
    given = {
        "principal": settings.max_streams_per_principal,
        "address": settings.max_streams_per_address,
    }
    return {counted: limit for counted, limit in given.items() if limit is not None}


def _now() -> str:
    return rfc3339.from_unix(time.time())


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(*REDIS_ERRORS):  # the subscriber reports the loss; try again
            await work()
        await asyncio.sleep(seconds)
