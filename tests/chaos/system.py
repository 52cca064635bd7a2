"""Everything that a chaos run holds: the simulator, Valkey, two ingests, two gateways, clients."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.chaos.clients import Client
from tests.chaos.invariants import Complain, Shown
from tests.chaos.ledger import Ledger
from tests.chaos.programs import Service, Valkey
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape
from tests.chaos.trading import Trading
from tests.ports import free_port
from tests.programs import ingest_environment

GHOST_SECONDS = 2.0
MEMORY_SECONDS = 1.0
POLL_SECONDS = 0.01
ASK_SECONDS = 1.0

FRESH_NANOSECONDS = 700_000_000
HOLD_SECONDS = 1.3
"""A hand-over may begin half a second after its cause, and be seen when nothing is fresh any more:
so long has everything to stay fresh."""

ALL = (PROBE, *BUSY, *QUIET)
NEWCOMERS = tuple(f"NEW{number}" for number in range(8))
"""Symbols that are neither watched nor traded at first."""

_LEASE_HOLDER = re.compile(rb"-(\d+)-")


class System:
    """The running system. ``tasks`` owns all that runs beside the steps."""

    def __init__(
        self,
        simulator: Simulator,
        server: ValkeyServer,
        tape: Tape,
        tasks: asyncio.TaskGroup,
        http: httpx.AsyncClient,
        complain: Complain,
        ports: Sequence[int],
    ) -> None:
        self.simulator = simulator
        self.valkey = Valkey(server)
        self.ledger: Ledger = tape.ledger
        self.trading = Trading(tape, simulator, complain)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.ingests = [
            Service(name, complain, "ingest", **ingest_environment(simulator, server.url))
            for name in ("ingest 1", "ingest 2")
        ]
        self.gateways = [
            Service(f"gateway {port}", complain, "gateway", REDIS_URL=server.url, PORT=str(port))
            for port in ports
        ]
        self.clients: dict[Client, asyncio.Task[None]] = {}
        self.former_events = 0
        self._redis_url = server.url
        self._tasks = tasks
        self._http = http
        self._complain = complain
        self._leader = self.ingests[0]
        self._newcomers = list(NEWCOMERS)

    @property
    def services(self) -> list[Service]:
        """All programs of ours."""
        return [*self.ingests, *self.gateways]

    @property
    def events(self) -> int:
        """How many events the clients have had."""
        return self.former_events + sum(client.events for client in self.clients)

    async def start(self) -> list[asyncio.Task[None]]:
        """Start everything; return the tasks to cancel."""
        await self.trading.open()
        running = [self._tasks.create_task(service.run()) for service in self.services]
        running.append(self._tasks.create_task(self._watch_memory()))
        running.append(self._tasks.create_task(self.trading.run()))
        first, second = self.urls
        for name, urls, interval in (
            ("every update at the first", [first], 0.0),
            ("every update at the second", [second], 0.0),
            ("four a second at the first", [first], 0.25),
            ("four a second at the second", [second], 0.25),
            ("every update at either", [first, second], 0.0),
            ("four a second at either", [second, first], 0.25),
        ):
            self.join(name, urls, ALL, interval)
        return running

    def join(self, name: str, urls: list[str], symbols: Iterable[str], interval: float) -> None:
        """Let a client in."""
        client = Client(name, urls, tuple(symbols), interval, self.ledger, self._complain)
        self.clients[client] = self._tasks.create_task(client.run(self._http))

    def join_with_new_symbols(self) -> None:
        """Admit a client that watches an unwatched symbol; trading in it starts afterwards."""
        if len(self._newcomers) >= 2:
            new = [self._newcomers.pop(), self._newcomers.pop()]
            self.join(f"of {' and '.join(new)}", self.urls, (PROBE, *new), 0.0)
            self.trading.symbols += [each for each in new if each not in self.trading.symbols]

    def leave(self) -> None:
        """Let the client go that came with new symbols first."""
        for client, task in self.clients.items():
            if client.symbols != ALL:
                self._newcomers[:0] = client.symbols[1:]
                self.former_events += client.events
                task.cancel()
                del self.clients[client]
                return

    async def leader(self) -> Service:
        """Return the ingest that holds the lease, or did when it could last be seen."""
        holder = _LEASE_HOLDER.search(await self.ask("GET", "ingest:lease") or b"")
        for service in self.ingests:
            if holder is not None and service.pid == int(holder[1]):
                self._leader = service
        return self._leader

    async def standby(self) -> Service:
        """Return the other ingest."""
        leader = await self.leader()
        return next(service for service in self.ingests if service is not leader)

    async def ask(self, *command: str) -> Any:
        """Send Valkey a command; None where it does not answer."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS), Redis.from_url(self._redis_url) as redis:
                return await redis.execute_command(*command)  # type: ignore[no-untyped-call]
        return None

    def fresh(self, since_ns: int) -> bool:
        """Return whether every client has a newer print of the probe, and not by REST alone."""
        state: Any = self.simulator.state()["endpoints"]
        has_stream = state["iex"]["sessions"] > 0
        return has_stream and all(self._probe(client) > since_ns for client in self.clients)

    async def recovered(self, since_ns: int, seconds: float) -> float | None:
        """Wait until prints after a moment reach every client, and continue to do so.

        Returns the monotonic time at which that began, None if it did not.
        """
        limit = time.monotonic() + seconds
        begun: float | None = None
        while (now := time.monotonic()) < limit:
            if not self.fresh(max(since_ns, time.time_ns() - FRESH_NANOSECONDS)):
                begun = None
            elif begun is None:
                begun = now
            elif now - begun > HOLD_SECONDS:
                return begun
            await asyncio.sleep(POLL_SECONDS)
        return None

    def differences(self, symbols: Iterable[str]) -> list[str]:
        """Return where a client's last price of one of these is not the ledger's."""
        return [
            f"{client.name}: {symbol} is {shown}, and {last} by the tape"
            for client in self.clients
            for symbol in set(symbols).intersection(client.symbols)
            if (shown := client.follower.shown.get(symbol)) != (last := self.last(symbol))
        ]

    def last(self, symbol: str) -> Shown | None:
        """Return the right last price."""
        right = self.ledger.last(symbol)
        return None if right is None else Shown(right.at, right.price)

    async def stored(self, url: str) -> dict[str, Any]:
        """Return what ``GET /api/prices`` of a gateway says of every symbol."""
        symbols = ",".join(self.ledger.prints)
        answer = await self._http.get(f"{url}/api/prices", params={"symbols": symbols})
        answer.raise_for_status()
        prices: dict[str, Any] = answer.json()["prices"]
        return prices

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(MEMORY_SECONDS)
            for service in self.services:
                service.sample_memory()

    @staticmethod
    def _probe(client: Client) -> int:
        shown = client.follower.shown.get(PROBE)
        return 0 if shown is None else shown.at


async def until(true: Callable[[], bool], seconds: float) -> float | None:
    """Wait until something holds; return the monotonic time then, None where it never did."""
    limit = time.monotonic() + seconds
    while not true():
        if time.monotonic() > limit:
            return None
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic()


@asynccontextmanager
async def running_system(tape: Tape, complain: Complain) -> AsyncIterator[System]:
    """Run everything; at the end nothing of it is left."""
    valkey_port, *ports = (free_port() for _ in range(3))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ValkeyServer(valkey_port))
        settings = SimulatorSettings(tape=None, ghost_seconds=GHOST_SECONDS)
        simulator = await stack.enter_async_context(Simulator(settings))
        timeout = httpx.Timeout(5, read=None)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=timeout))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        system = System(simulator, server, tape, tasks, http, complain, ports)
        running = await system.start()
        try:
            yield system
        finally:
            for task in (*system.clients.values(), *running):
                task.cancel()
