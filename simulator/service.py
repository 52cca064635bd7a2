"""The simulator put together: settings in, a running server out.

The only module that knows all parts. It reads no environment and takes no signals.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from simulator import DEFAULT_KEY, DEFAULT_SECRET, fakepaca, hours, rfc3339
from simulator.endpoint import Endpoint
from simulator.hours import AlwaysOpen, MarketHours
from simulator.market import Market
from simulator.replay import Replay
from simulator.rest import Rest
from simulator.session import Terms
from simulator.slots import Slots
from simulator.stream import Connection
from simulator.subscription import IEX, SIP, TEST
from simulator.tape import SHIPPED, read_tape
from simulator.transport import StreamProtocol
from simulator.wire import Outgoing

PLAN_LIMITS: Final[Mapping[str, int | None]] = {"basic": 30, "plus": None}
"""Symbols over trades and quotes that a plan allows; None = no limit."""

_STOP_SECONDS: Final = 0.6
_GOING_AWAY: Final = 1001


@dataclass(frozen=True)
class SimulatorSettings:
    """How to run. `port` 0 takes a free one; `tape` None replays nothing.

    `ping_seconds` is both the time between pings and how long an answer may take.
    `symbol_limit` None means the plan's own. `outbox_bytes` is how far a client may fall
    behind before 407.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tape: Path | None = SHIPPED
    speed: float = 1.0
    loop: bool = True
    plan: str = "basic"
    symbol_limit: int | None = None
    ghost_seconds: float = 0.0
    auth_timeout_seconds: float = 10.0
    ping_seconds: float = 20.0
    test_interval_seconds: float = 1.0
    key: str = DEFAULT_KEY
    secret: str = field(default=DEFAULT_SECRET, repr=False)
    hours: MarketHours = field(default_factory=AlwaysOpen)
    outbox_bytes: int = 8 * 1024 * 1024
    requests_per_minute: int = 200

    def __post_init__(self) -> None:
        if self.plan not in PLAN_LIMITS:
            raise ValueError(f"plan is {self.plan!r}, expected one of {', '.join(PLAN_LIMITS)}")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}, expected 0 to 65535")
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed is {self.speed}, expected a number above 0")

    @property
    def terms(self) -> Terms:
        """The one user that the simulator knows."""
        limit = PLAN_LIMITS[self.plan] if self.symbol_limit is None else self.symbol_limit
        return Terms(self.key, self.secret, self.plan, limit)


class Simulator:
    """A running simulator, from `async with` on to its end.

    Raises on entry:
        TapeError: the tape cannot be read.
        OSError: the port is taken.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`clock` gives Unix time in nanoseconds and never goes back."""
        self._settings = settings or SimulatorSettings()
        self._clock = clock or _steady_clock()
        self._market = Market(hours.midnight)
        self._endpoints = {feed.name: Endpoint(feed) for feed in (IEX, SIP, TEST)}
        self._slots = Slots(self._settings.ghost_seconds, time.monotonic)
        self._replay: Replay | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.port = self._settings.port

    async def __aenter__(self) -> Self:
        settings = self._settings
        if settings.tape is not None:
            self._replay = await self._load(settings.tape)
        listener = _listen(settings.host, settings.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(
            _server_config(Starlette(routes=self._routes()), settings.ping_seconds)
        )
        self._own(self._server.serve(sockets=[listener]), "server")
        await self._started()
        if self._replay is not None:
            self._own(self._replay.run(), "replay")
        self._own(self._run_test_stream(), "test stream")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, *feeds = self._tasks
        for task in feeds:
            task.cancel()
        for endpoint in self._endpoints.values():
            endpoint.close(_GOING_AWAY)
        await asyncio.sleep(0)  # the writers send their close
        self._server.should_exit = True
        await asyncio.wait([server], timeout=_STOP_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # a peer that reads nothing would keep us for ever
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None:
            _raise_first(results)

    @property
    def stream_url(self) -> str:
        """The base of the streams: append `/v2/iex`, `/v2/sip` or `/v2/test`."""
        return f"ws://{self._authority}"

    @property
    def rest_url(self) -> str:
        """The base of the REST endpoints, without `/v2`."""
        return f"http://{self._authority}"

    async def serve_forever(self) -> None:
        """Wait for ever; a part that dies raises its error here."""
        waiting = set(self._tasks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # a replay without a loop comes to its end in peace
                task.result()

    async def publish(self, message: Mapping[str, object], feed: str | None = None) -> None:
        """Send a hand-made message to the sessions subscribed to it.

        `t` may be RFC-3339 text, absent or None (= now). `feed` None means iex and sip.

        Raises:
            ValueError: `t` is no time.
            KeyError: there is no such feed, or the message has no `T`.
        """
        given = message.get("t")
        moment = rfc3339.parse(given) if isinstance(given, str) else self._clock()
        outgoing = [Outgoing({"T": message["T"], **message, "t": moment})]
        if feed is None:
            self._publish(outgoing)
        else:
            self._endpoints[feed].publish(outgoing)

    def state(self) -> dict[str, object]:
        """Return what `GET /simulator/state` shows."""
        nothing = {"row": 0, "loop": 0, "rows": 0}
        return {
            "endpoints": {name: one.state() for name, one in self._endpoints.items()},
            "replay": nothing if self._replay is None else self._replay.state(),
        }

    @property
    def _authority(self) -> str:
        host = self._settings.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    async def _started(self) -> None:
        server = self._tasks[0]
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait([server, listening], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if server.done():
            server.result()

    async def _load(self, path: Path) -> Replay:
        tape = await asyncio.to_thread(read_tape, path)
        self._market.expect(tape.symbols, tape.sidecar.previous_daily_bars)
        return Replay(
            tape,
            self._publish,
            clock=self._clock,
            sleep=asyncio.sleep,
            speed=self._settings.speed,
            loop=self._settings.loop,
        )

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        for outgoing in messages:
            self._market.observe(outgoing.message)
        for feed in (IEX, SIP):
            self._endpoints[feed.name].publish(messages)

    def _run_test_stream(self) -> Coroutine[None, None, None]:
        return fakepaca.run(
            self._endpoints[TEST.name].publish,
            clock=self._clock,
            sleep=asyncio.sleep,
            interval_seconds=self._settings.test_interval_seconds,
        )

    def _routes(self) -> list[BaseRoute]:
        settings = self._settings
        rest = Rest(
            settings.terms,
            self._market,
            settings.hours,
            self._clock,
            settings.requests_per_minute,
        )
        streams = [self._stream_route(endpoint) for endpoint in self._endpoints.values()]
        return [*streams, *rest.routes(self.state)]

    def _stream_route(self, endpoint: Endpoint) -> WebSocketRoute:
        settings = self._settings

        async def stream(websocket: WebSocket) -> None:
            connection = Connection(
                websocket, endpoint, settings.terms, self._slots, settings.outbox_bytes
            )
            await connection.run(settings.auth_timeout_seconds)

        return WebSocketRoute(f"/v2/{endpoint.feed.name}", stream)

    def _own(self, work: Coroutine[None, None, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"simulator {name}"))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when connections are being accepted."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the process."""
        yield


def _server_config(app: Starlette, ping_seconds: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws=StreamProtocol,
        ws_ping_interval=ping_seconds,
        ws_ping_timeout=ping_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _steady_clock() -> Callable[[], int]:
    """Return Unix time in nanoseconds that does not jump with the machine's clock."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: offset + time.monotonic_ns()


def _raise_first(results: Sequence[BaseException | None]) -> None:
    for result in results:
        if isinstance(result, Exception):
            raise result
