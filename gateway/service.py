"""A gateway's life: it listens, runs its parts, and ends them in the right order."""

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Self

import structlog

from gateway.bus.claim_times import RELEASE_SECONDS
from gateway.bus.redis_clients import gateway_redis_clients
from gateway.composition import Gateway, Surroundings, compose, compose_app
from gateway.fanout.hub import Hub
from gateway.http.listener import listen
from gateway.http.open_files import OpenFiles, raise_limit
from gateway.http.server import Server, make_server
from gateway.settings import GatewaySettings
from gateway.wire import events
from shared import free_lists
from shared.bus.errors import BusError
from shared.bus.redis_source import RedisSource
from shared.cancellation import cancel

log = structlog.get_logger()

HOUSEKEEPING_SECONDS = 0.1
REPORT_SECONDS = 5.0
FREE_LISTS_SECONDS = 60.0
STREAMS_ENDED_PER_SECOND = 200
"""How fast a draining gateway ends streams at most, so that a few streams are drained quickly."""

KERNEL_PATIENCE_SECONDS = 10.0
"""How much longer than ``SLOW_CLIENT_SECONDS`` the kernel waits for a peer that acknowledges
nothing: it cannot distinguish a client that does not read from one that has vanished."""


class GatewayService:
    """One gateway, listening on ``listener``. ``run`` serves until ``stop`` is set, then drains."""

    def __init__(
        self,
        settings: GatewaySettings,
        source: RedisSource,
        listener: socket.socket,
        around: Surroundings | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self.listener = listener
        self._around = around or Surroundings()

    @classmethod
    def bind(
        cls, settings: GatewaySettings, source: RedisSource, around: Surroundings | None = None
    ) -> Self:
        """Return a gateway that listens where the settings say, and does not answer yet.

        Raises:
            OSError: the address cannot be used.
        """
        listener = listen(
            settings.host,
            settings.port,
            patience_seconds=settings.slow_client_seconds + KERNEL_PATIENCE_SECONDS,
        )
        return cls(settings, source, listener, around)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        port: int = self.listener.getsockname()[1]
        return port

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``; an error in any part is raised, in an exception group.

        ``BusUnusableError`` is one: Redis is a cluster, or has no such database.
        """
        settings, around = self._settings, self._around
        files = OpenFiles(raise_limit(), settings.max_clients, around.clock)
        if files.remedy is not None:
            log.warning("too_few_open_files", remedy=files.remedy, streams=files.streams)
        async with gateway_redis_clients(self._source) as redis:
            gateway = compose(settings, redis, around, files)
            server = make_server(
                compose_app(settings, redis, gateway, around),
                access_log=settings.access_log,
                forwarded_allow_ips=settings.forwarded_allow_ips,
                max_connections=files.connections,
                on_full=files.on_exhausted,
            )
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(work, name=name)
                    for name, work in self._background(gateway).items()
                ]
                background.append(tasks.create_task(redis.watch.run(), name="server watch"))
                serving = tasks.create_task(self._serve(server, stop), name="server")
                log.info("gateway_listening", host=settings.host, gateway_id=gateway.gateway_id)
                await stop.wait()
                await _be_lame_duck(gateway.hub, settings.lame_duck_seconds)
                # Streams first, while the server still delivers what they are sent. The loops
                # last: they release the claims of streams that have just ended.
                await drain(gateway.hub, settings.drain_seconds, around.randomness)
                server.should_exit = True
                await serving
                await cancel(*background)

    def _background(self, gateway: Gateway) -> dict[str, Coroutine[object, object, None]]:
        """Return everything that runs beside the server, by name, until cancelled."""
        settings = self._settings
        watch = gateway.token_watch
        return {
            **({} if watch is None else {"token file": watch.run()}),
            "subscriber": gateway.subscriber.run(),
            "interest claims": gateway.interest.run(),
            "stream claims": gateway.claims.run(),
            "inbox": gateway.inbox.run(),
            "ingest requests": gateway.requests.run(),
            "audit log": gateway.audit.run(),
            "housekeeping": _housekeep(gateway, settings.slow_client_seconds),
            "heartbeat": _heartbeat(gateway, settings.heartbeat_seconds, self._around.now),
            "report": _report(gateway),
            "free lists": _clear_free_lists(),
            "failed attempts": gateway.attempts.run(),
        }

    async def _serve(self, server: Server, stop: asyncio.Event) -> None:
        await server.serve(sockets=[self.listener])
        # A gateway whose server is gone must not look alive to the process' supervisor.
        if not stop.is_set():
            raise RuntimeError("the HTTP server has stopped although it was not asked to")


async def _be_lame_duck(hub: Hub, seconds: float) -> None:
    """Reject new streams, and stay reachable for a time, however few streams are open.

    The open ones continue: a stream that ended now might return through a balancer that has not
    read ``/readyz`` since.
    """
    hub.drain()
    log.info("gateway_unready", seconds=seconds)
    await asyncio.sleep(seconds)


async def drain(hub: Hub, seconds: float, randomness: random.Random) -> None:
    """End every stream with a ``bye``, one after another over the given time at most."""
    clients = list(hub.clients.values())
    # The order of their ends is the order in which they reach the other gateways. Those that
    # opened together, a page's streams or one office's, should not come together again.
    randomness.shuffle(clients)
    seconds = min(seconds, len(clients) / STREAMS_ENDED_PER_SECOND)
    log.info("gateway_draining", streams=len(clients), seconds=round(seconds, 2))
    for client in clients:
        if not client.left:  # it may leave while others are ended
            hub.end(client, "shutdown")
        await asyncio.sleep(seconds / len(clients))


async def _housekeep(gateway: Gateway, slow_client_seconds: float) -> None:
    hub = gateway.hub
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        gateway.feed.refresh()  # an ingest that has stopped reporting causes no event
        hub.drop_idle()
        hub.flusher.wake_readers()
        for client in hub.flusher.stalled_longer_than(slow_client_seconds):
            log.info("slow_client_closed", stream_id=client.stream_id)
            hub.end(client, "slow")
            # The ``bye`` stays in a buffer that the client does not read, and so would the
            # connection. Aborting it frees both.
            client.sink.abort()


async def _clear_free_lists() -> None:
    while True:
        await asyncio.sleep(FREE_LISTS_SECONDS)
        free_lists.clear()


async def _heartbeat(gateway: Gateway, seconds: float, now: Callable[[], str]) -> None:
    hub, feed = gateway.hub, gateway.feed
    while True:
        await asyncio.sleep(seconds)
        heartbeat = events.Heartbeat(
            event_id=str(hub.cursor),
            server_time=now(),
            feed_state=feed.event.state,
            session=feed.event.session,
            lag_ms=feed.event.lag_ms,
        )
        hub.send_heartbeat(heartbeat)


async def _report(gateway: Gateway) -> None:
    try:
        while True:
            # The subscriber logs the loss of the connection; the next report is soon.
            with suppress(BusError), gateway.rejections.watch("this gateway's report"):
                await gateway.reports.store(gateway.report())
            await asyncio.sleep(REPORT_SECONDS)
    finally:
        # Otherwise the others would wait for this gateway to listen again.
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await gateway.reports.withdraw(gateway.gateway_id)
