"""Everything that a chaos run holds: the simulator, Valkey, two ingests, two gateways, clients."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, NamedTuple

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.bus.valkey_server import ValkeyServer
from simulator.protocol import rfc3339
from tests.chaos.account import Account, Positions
from tests.chaos.clients import Client, PriceClient, WholeClient
from tests.chaos.day_bars import DayBars
from tests.chaos.follower import Complain
from tests.chaos.ledger import Last, Ledger
from tests.chaos.markets import BOOK_PAIR, PAIR_CLOSES, PAIRS, STOCKS_FEED, delay_ns
from tests.chaos.network import Network
from tests.chaos.news import ALL_NEWS, News
from tests.chaos.order_books import OrderBooks
from tests.chaos.orders import ORDERS, Orders
from tests.chaos.prices import Prices
from tests.chaos.programs import Service, Valkey
from tests.chaos.quotes import Quotes
from tests.chaos.record import Record
from tests.chaos.settings import SPLIT, SPLIT_RATIO, last_equity, settings
from tests.chaos.staleness import Staleness
from tests.chaos.strikes import Strikes
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape, closes
from tests.chaos.trades import Trades
from tests.chaos.trading import Trading
from tests.link import Link
from tests.ports import free_port
from tests.programs import ingest_environment

MEMORY_SECONDS = 1.0
POLL_SECONDS = 0.01
ASK_SECONDS = 1.0

FRESH_NANOSECONDS = 700_000_000
OTHERS_FRESH_NANOSECONDS = 2_000_000_000
"""The pair and the contract that are probes trade at least twice a second."""

HOLD_SECONDS = 1.3
"""A hand-over may begin half a second after its cause, and be seen when nothing is fresh any more:
so long has everything to stay fresh."""

ALL = (PROBE, *BUSY, *QUIET)
NEWCOMERS = tuple(f"NEW{number}" for number in range(8))
"""Symbols that are neither watched nor traded at first."""

_LEASE_HOLDER = re.compile(rb"-(\d+)-")


class Stale(NamedTuple):
    """How long some client had no fresh price of stocks, and none of pairs or contracts."""

    stocks: Staleness
    others: Staleness


class System:
    """The running system. ``tasks`` owns all that runs beside the steps."""

    def __init__(
        self,
        record: Record,
        server: ValkeyServer,
        right_closes: Mapping[str, float],
        tasks: asyncio.TaskGroup,
        http: httpx.AsyncClient,
        complain: Complain,
        ports: Sequence[int],
        networks: Sequence[Network],
    ) -> None:
        self.record = record
        self.simulator = record.simulator
        self.networks = networks
        self.valkey = Valkey(server)
        self.ledger: Ledger = record.ledger
        known = {**right_closes, **PAIR_CLOSES}
        self.closes = {symbol: {close} for symbol, close in known.items()}
        self.last_equity = last_equity(right_closes)
        self.trading = Trading(record, http, complain)
        self.symbols = (*ALL, *PAIRS, *self.trading.contracts)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.ingests = [
            Service(
                name,
                complain,
                "ingest",
                **(ingest_environment(self.simulator, server.url) | network.environment()),
            )
            for name, network in zip(("ingest 1", "ingest 2"), networks, strict=True)
        ]
        self.gateways = [
            Service(f"gateway {port}", complain, "gateway", REDIS_URL=server.url, PORT=str(port))
            for port in ports
        ]
        self.clients: dict[PriceClient, asyncio.Task[None]] = {}
        self.whole_clients: dict[WholeClient, asyncio.Task[None]] = {}
        self.strikes = Strikes()
        self.former_events = 0
        self._redis_url = server.url
        self._tasks = tasks
        self._http = http
        self._complain = complain
        self._leader = self.ingests[0]
        self._newcomers = list(NEWCOMERS)
        self._repairs: set[asyncio.Task[None]] = set()

    @property
    def services(self) -> list[Service]:
        """All programs of ours."""
        return [*self.ingests, *self.gateways]

    @property
    def events(self) -> int:
        """How many events the clients have had."""
        clients: list[Client] = [*self.clients, *self.whole_clients]
        return self.former_events + sum(client.events for client in clients)

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
            self.join(name, urls, self.symbols, interval)
        for name, urls, interval in (
            ("everything at the first", [first], 0.0),
            ("everything at the second, four a second", [second], 0.25),
            ("everything at either", [second, first], 0.0),
        ):
            self.join_whole(name, urls, interval)
        return running

    def join(self, name: str, urls: list[str], symbols: Iterable[str], interval: float) -> None:
        """Let a client in."""
        watched = tuple(symbols)
        prices = Prices(name, watched, self.ledger, self.closes, self._complain)
        client = PriceClient(name, urls, watched, interval, prices, self._complain)
        self.clients[client] = self._tasks.create_task(client.run(self._http))

    def join_whole(self, name: str, urls: list[str], interval: float) -> None:
        """Let a client in that follows everything but prices."""
        record, emptied, wrong = self.record, self.ledger.emptied, self._complain
        followers = (
            Trades(name, self.symbols, self.ledger, wrong),
            Quotes(name, self.symbols, self.ledger, wrong),
            DayBars(name, ALL, record.bars, wrong),
            Positions(name, record.books, self.ledger, wrong),
            Account(name, record.books, self.last_equity, time.time_ns, wrong),
            Orders(name, record.orders, emptied, wrong),
            News(name, record.news, emptied, wrong),
            OrderBooks(name, record.order_book, wrong),
        )
        client = WholeClient(name, urls, self._topics(), interval, followers, wrong)
        self.whole_clients[client] = self._tasks.create_task(client.run(self._http))

    def _topics(self) -> list[str]:
        """Return the topics of a client that follows everything but prices."""
        return [
            *(f"{kind}:{symbol}" for kind in ("trade", "quote") for symbol in self.symbols),
            *(f"bar.1Day:{symbol}" for symbol in ALL),
            f"book:{BOOK_PAIR}",
            "position:*",
            "account",
            ORDERS,
            ALL_NEWS,
        ]

    def join_with_new_symbols(self) -> None:
        """Admit a client that watches an unwatched symbol; trading in it starts afterwards."""
        if len(self._newcomers) >= 2:
            new = [self._newcomers.pop(), self._newcomers.pop()]
            self.join(f"of {' and '.join(new)}", self.urls, (PROBE, *new), 0.0)
            self.trading.symbols += [each for each in new if each not in self.trading.symbols]

    def leave(self) -> None:
        """Let the client go that came with new symbols first."""
        for client, task in self.clients.items():
            if client.symbols != self.symbols:
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

    @property
    def repairs(self) -> set[asyncio.Task[None]]:
        """The repairs that are still to come."""
        return self._repairs

    def repair_later(self, link: Link, seconds: float) -> None:
        """Repair a link after a time; ``repaired`` waits for it."""

        async def repair() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                link.repair()

        self._repairs.add(self._tasks.create_task(repair()))

    async def repaired(self) -> None:
        """Wait until the links are repaired."""
        if self._repairs:
            await asyncio.wait(self._repairs)
        self._repairs.clear()

    async def leaders_network(self) -> Network:
        """Return the network of the leader."""
        return self.networks[self.ingests.index(await self.leader())]

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
        state: Any = self.simulator.stream_state(STOCKS_FEED)
        has_stream = state["sessions"] > 0
        newest = [
            *(client.prices.shown.get(PROBE, Last(0, 0)).at for client in self.clients),
            *(client.trades.newest.get(PROBE, 0) for client in self.whole_clients),
        ]
        return has_stream and min(newest) > since_ns

    def without_others(self, since_ns: int, *, book: bool = True) -> list[str]:
        """Return which clients lack a newer print of a pair or a contract, or a newer book.

        ``since_ns`` is a time at which they were sent, unix ns.
        """
        return [
            f"{name}: the newest {what} is of {rfc3339.render(at)}"
            for name, what, at in self._newest_of_others()
            if at <= since_ns and (book or what != "book")
        ]

    def _newest_of_others(self) -> Iterator[tuple[str, str, int]]:
        """Yield a client, a thing that it follows, and when (unix ns) its newest one was sent."""
        for symbol in self.trading.probes:
            delay = delay_ns(symbol)
            for client in self.clients:
                if symbol in client.symbols:
                    shown = client.prices.shown.get(symbol, Last(0, 0))
                    yield client.name, f"price of {symbol}", shown.at + delay
            for whole in self.whole_clients:
                yield whole.name, f"trade of {symbol}", whole.trades.newest.get(symbol, 0) + delay
        for whole in self.whole_clients:
            yield whole.name, "book", whole.order_book.at

    @asynccontextmanager
    async def staleness(self) -> AsyncIterator[Stale]:
        """Count the seconds with no fresh price while the block runs."""

        def is_fresh() -> bool:
            return self.fresh(time.time_ns() - FRESH_NANOSECONDS)

        def has_fresh_others() -> bool:
            return not self.without_others(time.time_ns() - OTHERS_FRESH_NANOSECONDS, book=False)

        found = Stale(
            Staleness(is_fresh, time.monotonic), Staleness(has_fresh_others, time.monotonic)
        )
        looking = [self._tasks.create_task(each.run()) for each in found]
        try:
            yield found
        finally:
            for each in looking:
                each.cancel()

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
            if (shown := client.prices.shown.get(symbol)) != (last := self.ledger.last(symbol))
        ]

    def incomplete(self, before_ns: int) -> list[str]:
        """Return what a client lacks of the ordered topics before a time, or of the account."""
        return [each for client in self.whole_clients for each in client.incomplete(before_ns)]

    def forgive(self, before_ns: int) -> None:
        """Do not complain again of what the ordered topics lack before a time."""
        for client in self.whole_clients:
            client.forgive(before_ns)

    def unsettled(self) -> list[str]:
        """Return the differences that remain although nothing happens any more."""
        return [
            each
            for client in self.whole_clients
            for each in (
                *client.incomplete(time.time_ns()),
                *client.quotes.differences((*BUSY, *PAIRS, *self.trading.contracts)),
                *client.order_book.differences(),
                *client.positions.differences(prices=True),
            )
        ]

    def old_bars(self) -> list[str]:
        """Return the day bars that are not REST's."""
        return [each for client in self.whole_clients for each in client.bars.differences()]

    def split_is_late(self) -> None:
        """Accept the previous close in old shares too: it is all that REST has."""
        self.closes[SPLIT] |= {SPLIT_RATIO * close for close in self.closes[SPLIT]}

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
        right_closes = closes(tape, (*ALL, *NEWCOMERS[::2]))
        record = Record(tape, settings(tape, right_closes), complain)
        simulator = await stack.enter_async_context(record.simulator)
        timeout = httpx.Timeout(5, read=None)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=timeout))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        networks = [
            Network(
                await stack.enter_async_context(Link(valkey_port)),
                await stack.enter_async_context(Link(simulator.port)),
            )
            for _ in range(2)
        ]
        system = System(record, server, right_closes, tasks, http, complain, ports, networks)
        running = await system.start()
        try:
            yield system
        finally:
            clients = (*system.clients.values(), *system.whole_clients.values())
            for task in (*clients, *running, *system.repairs):
                task.cancel()
