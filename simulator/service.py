"""The composition of the simulator: settings in, a running server out.

The only module that knows all parts. It reads no environment and handles no signals.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from simulator.account.broker import Broker
from simulator.account.ledger import Account, Holding
from simulator.account.markets import Markets
from simulator.account.update_queue import Update
from simulator.capture.service import CapturedAlpaca
from simulator.crypto.book_tape import read_book_tape
from simulator.crypto.venue import Venue
from simulator.faults import control
from simulator.faults.armed import ArmedFaults
from simulator.faults.catalogue import Faults
from simulator.invented import inventor_of
from simulator.options.contract_list import ContractList
from simulator.options.delay import with_late_trades
from simulator.options.market import OptionMarket
from simulator.options.recording import read_chain, read_option_tape
from simulator.options.rest import OptionRest
from simulator.options.today import listed_today, renamed_today
from simulator.protocol.endpoint import Endpoint
from simulator.protocol.option_feeds import OPRA, OPTION_FEEDS, is_option_symbol
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.subscription import ACCOUNT, TEST, is_pair
from simulator.protocol.wire import Message, Outgoing
from simulator.rest.budget import Budget
from simulator.rest.crypto import CryptoRest
from simulator.rest.guard import Guard
from simulator.rest.market_data import Rest
from simulator.rest.trading import Trading
from simulator.server import Server, listen, server_config
from simulator.settings import SimulatorSettings
from simulator.streams.account_session import TRADE_UPDATES
from simulator.streams.slots import Slots
from simulator.tape import fakepaca
from simulator.tape.bar_schedule import BarSchedule
from simulator.tape.bars import MINUTE
from simulator.tape.handmade import (
    PAIR_FEEDS,
    STOCK_FEEDS,
    Handmade,
    handmade,
    read_messages,
    with_times,
)
from simulator.tape.history import History
from simulator.tape.inventor import Inventor
from simulator.tape.market import Market
from simulator.tape.recording import Tape, read_tape
from simulator.tape.replay import Replay, progress
from simulator.upgrade import stream_routes, unknown_stream

__all__ = ["Simulator", "SimulatorSettings"]

_STOP_SECONDS: Final = 0.6
_GOING_AWAY: Final = 1001


class Simulator:
    """A simulator, running inside `async with`.

    `faults` injects faults. `account` is the ledger and `crypto` has the pairs, both for reading.
    `captured` is the capture that it replays, if there is one.

    Raises on entry:
        TapeError, CaptureError: the tape or the capture cannot be read.
        OSError: the port is in use.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        clock: Callable[[], int] | None = None,
        on_update: Callable[[Update], None] = lambda _: None,
        on_message: Callable[[Message], None] = lambda _: None,
    ) -> None:
        """`clock` returns Unix time in nanoseconds, which must not decrease.

        `on_update` gets each update of an order when it happens, also those that faults delay or
        lose. `on_message` gets each trade, quote, order book, cancel and correction of market data
        once REST has it, and before orders fill by it and clients get it. Times are in nanoseconds.
        """
        settings = self._settings = settings or SimulatorSettings()
        self._clock = clock or _steady_clock()
        self._on_message = on_message
        history = settings.history
        self._history = History(settings.hours, is_invented=history, splits=settings.splits)
        self._market = Market(settings.hours, self._history)
        self._options = OptionMarket()
        now = time.monotonic
        self._market_data = {feed.name: Endpoint(feed, now) for feed in settings.feeds}
        self._endpoints = {**self._market_data, ACCOUNT.name: Endpoint(ACCOUNT, now)}
        self._armed = ArmedFaults(now)
        self.crypto = Venue(self._market_data, self._armed, self._observe, is_invented=history)
        for symbol, days in settings.previous_daily_bars.items():
            self._market_of(symbol).expect((), {symbol: days})
        self._prices = Markets(self._market, self.crypto.market, self._options)
        self._broker = self._new_broker(on_update)
        self._bars = BarSchedule(
            self._market, settings.hours, self._armed, self._publish_to_stocks, self._subscribed
        )
        self._inventor = self._new_inventor()
        self.faults = Faults(
            self._endpoints, self._armed, self._observed, self._broker, self._send_updated_bar
        )
        self._slots = Slots(settings.ghost_seconds, now)
        self._replay: Replay | None = None
        self._option_replay: Replay | None = None
        self._replayed_options: Sequence[str] = ()
        self.captured: CapturedAlpaca | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._replays: list[asyncio.Task[None]] = []
        self.port = settings.port

    def _new_broker(self, on_update: Callable[[Update], None]) -> Broker:
        return Broker(
            Account(self._settings.cash, self._settings.positions, self._settings.crypto_fee),
            self._prices,
            self._settings.hours,
            self._settings.splits,
            self._armed,
            self._clock,
            self._publish_update,
            on_update,
            is_position_qty_net=self._settings.is_position_qty_net,
        )

    def _new_inventor(self) -> Inventor:
        return inventor_of(
            self._settings,
            self._market,
            self.crypto,
            self._market_data,
            self._publish,
            clock=self._clock,
            sleep=asyncio.sleep,
        )

    async def __aenter__(self) -> Self:
        settings = self._settings
        if settings.replay is not None:
            self.captured = await CapturedAlpaca.load(
                settings.replay, settings.speed, settings.hours, self._clock
            )
        else:
            await self._load_tapes()
        listener = listen(settings.host, settings.port)
        self.port = listener.getsockname()[1]
        app = Starlette(routes=self._routes())
        app.router.redirect_slashes = False  # Alpaca answers 404 to REST paths that are not exact
        self._server = Server(server_config(app, settings.ping_seconds))
        self._own(self._server.serve(sockets=[listener]), "server")
        await self._started()
        if self.captured is not None:
            self._own(self.captured.replay.run(), "capture")
        for replay, name in (
            (self._replay, "replay"),
            (self.crypto.replay, "replay of pairs"),
            (self._option_replay, "replay of options"),
        ):
            if replay is not None:
                self._replays.append(self._own(replay.run(), name))
        if settings.invents:
            self._own(self._inventor.run(), "invented symbols")
        self._own(self._run_test_stream(), "test stream")
        self._own(self._broker.run(asyncio.sleep), "broker")
        self._own(self._bars.run(self._clock, asyncio.sleep), "bars")
        self._own(self.crypto.bars.run(self._clock, asyncio.sleep), "bars of pairs")
        return self

    async def _load_tapes(self) -> None:
        settings = self._settings
        if settings.tape is not None:
            self._replay = await self._load(settings.tape)
        if settings.crypto_tape is not None:
            await self._load_crypto(settings.crypto_tape)
        await self._load_options()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, *feeds = self._tasks
        for task in feeds:
            task.cancel()
        self.faults.end()
        for endpoint in self._endpoints.values():
            endpoint.close(_GOING_AWAY)
        if self.captured is not None:
            await self.captured.replay.close()
        await asyncio.sleep(0)  # the writers send their close
        self._server.should_exit = True
        await asyncio.wait([server], timeout=_STOP_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # a peer that reads nothing would block the end
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None:
            _raise_first(results)

    def slot_free_at(self, feed: str) -> float:
        """Return the monotonic time since which a feed's slot is free, or a ghost will free it."""
        return self._slots.free_at(feed, self._settings.key)

    def slot_refused_at(self, feed: str) -> float:
        """Return the monotonic time of the last 406 of a feed."""
        return self._slots.refused_at(feed, self._settings.key)

    def end_ghosts(self) -> None:
        """Let Alpaca notice that dropped connections are dead: their slots are free."""
        self._slots.end_ghosts()

    def end_replays(self) -> None:
        """Send nothing more from the tapes; messages by hand are still sent."""
        for task in self._replays:
            task.cancel()

    @property
    def stream_url(self) -> str:
        """The base of the streams: append `/v2/iex`, …, `/v1beta1/opra`, `/stream`."""
        return f"ws://{self._authority}"

    @property
    def rest_url(self) -> str:
        """The base of the REST endpoints, without `/v2`."""
        return f"http://{self._authority}"

    @property
    def account(self) -> Account:
        """The cash and the open positions."""
        return self._broker.account

    @property
    def options(self) -> OptionMarket:
        """The contracts, each with its newest data, for reading."""
        return self._options

    @property
    def replayed_options(self) -> Sequence[str]:
        """The symbols of the contracts that the tape of options has, sorted."""
        return self._replayed_options

    def is_invented(self, symbol: str) -> bool:
        """Return whether the prices of a stock or a pair are invented, as soon as they are wanted.

        Those of symbols on a tape are not; see `SimulatorSettings.invents`.
        """
        return self._inventor.invents(symbol)

    def day_bar(self, symbol: str) -> Message | None:
        """Return a symbol's newest day bar as REST has it now, `t` in nanoseconds."""
        bars = self._market_of(symbol).daily_bars(symbol, self._clock())
        return bars[-1] if bars else None

    @property
    def positions(self) -> Sequence[Holding]:
        """The positions at the start of the day; setting them restarts the day."""
        return self._broker.account.holdings

    @positions.setter
    def positions(self, holdings: Sequence[Holding]) -> None:
        self._broker.begin(holdings)

    async def fill(self, symbol: str, quantity: Decimal, price: Decimal) -> str:
        """Create an order and fill it, regardless of market and account; return its id.

        `quantity` is negative for a sale, `price` in dollars.

        Raises:
            ValueError: the symbol is invalid, or the quantity is 0.
        """
        return self._broker.fill(symbol, quantity, price).id

    async def fill_legs(
        self, legs: Mapping[str, Decimal], prices: Sequence[Decimal], parts: int = 1
    ) -> str:
        """Create a multi-leg order and fill it in equal parts; return its id.

        `legs` maps symbols to quantities in each part, negative for a sale; `prices` in dollars.

        Raises:
            ValueError: a symbol is invalid.
        """
        return self._broker.fill_legs(legs, prices, parts).id

    async def serve_forever(self) -> None:
        """Wait until cancelled; a part that fails raises its error here."""
        waiting = set(self._tasks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # a replay that does not loop ends normally
                if not task.cancelled():
                    task.result()

    async def publish(self, message: Mapping[str, object], feed: str | None = None) -> None:
        """Send a hand-written message, with all its fields, to the sessions subscribed to it.

        Its times (`t`; `created_at`, `updated_at` of news) may be RFC-3339 text, Unix
        nanoseconds, absent or None (= now). `feed` None means iex and sip, for a pair the crypto
        feeds, for a contract indicative and opra, for news the news feed. REST also records the
        messages, except news.

        Raises:
            ValueError: the feed, the type of message or a time is invalid.
        """
        self._send([self._handmade(message, feed)])

    async def send_bars(self, minute: int, kind: Literal["b", "u"] = "b") -> int:
        """Send the bars of a minute now, `b` with `d`, instead of when they are due.

        `minute` is any Unix time (ns) of the minute. A bar that was sent is not sent again.
        Returns the number of bars.
        """
        start = minute // MINUTE * MINUTE
        bars, of_pairs = self._bars.minute(start, kind), self.crypto.bars.minute(start, kind)
        self._publish_to_stocks(bars)
        self.crypto.send(of_pairs)
        return len(bars) + len(of_pairs)

    def stream_state(self, feed: str) -> dict[str, object]:
        """Return the part of `GET /simulator/state` about one stream."""
        return self._endpoints[feed].state()

    def state(self) -> dict[str, object]:
        """Return the body of `GET /simulator/state`."""
        return {
            "endpoints": {name: one.state() for name, one in self._endpoints.items()},
            "account": self._broker.state(),
            "faults": self._armed.shown(),
            "replay": progress(self._replay),
            "options": {
                "replay": progress(self._option_replay),
                "replayed": list(self._replayed_options),
                "contracts": len(self._options.symbols()),
            },
            "capture": None if self.captured is None else self.captured.state(),
            "bars": {
                "sent": dict(self._bars.counts),
                "recorded_days": self._history.recorded_days(),
                "recorded_minutes": self._history.recorded_minutes(),
                "invented": self._history.is_invented,
            },
            "crypto": self.crypto.state(),
            "invented": list(self._inventor.symbols()),
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
        recorded = {symbol: [bar] for symbol, bar in tape.sidecar.previous_daily_bars.items()}
        days = recorded | dict(self._settings.previous_daily_bars)
        self._market.expect(tape.symbols, days)
        if self._settings.history:
            for symbol, minutes in tape.minutes.items():
                if symbol not in self._settings.previous_daily_bars:
                    self._history.record(symbol, days.get(symbol, ()), minutes)
        replay = self._replay_of(tape, self._publish)
        self._market.expect_trades(tape.first_prices, replay.begins)
        return replay

    async def _load_options(self) -> None:
        settings, now = self._settings, self._clock()
        for path in settings.option_chains:
            chain = await asyncio.to_thread(read_chain, path)
            self._options.list_contracts(listed_today(chain, now, settings.hours))
        if settings.option_tape is not None:
            tape = await asyncio.to_thread(read_option_tape, settings.option_tape)
            tape = renamed_today(tape, now)
            self._options.expect(tape.symbols)
            self._replayed_options = sorted(tape.symbols)
            self._option_replay = self._replay_of(tape, self._publish_options)

    def _replay_of(self, tape: Tape, publish: Callable[[Sequence[Outgoing]], None]) -> Replay:
        return Replay(
            tape,
            publish,
            clock=self._clock,
            sleep=asyncio.sleep,
            speed=self._settings.speed,
            loop=self._settings.loop,
            repeat_ids=self._settings.repeat_ids,
            shift=self._settings.shift,
            hours=self._settings.hours,
        )

    async def _load_crypto(self, path: Path) -> None:
        tape = await asyncio.to_thread(read_book_tape, path)
        settings = self._settings
        self.crypto.load(tape, self._clock, asyncio.sleep, speed=settings.speed, loop=settings.loop)

    def _market_of(self, symbol: object) -> Market:
        return self.crypto.market if is_pair(symbol) else self._market

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        for outgoing in messages:
            self._observe(outgoing.message)
        self._publish_to_stocks(messages)

    def _publish_options(self, messages: Sequence[Outgoing]) -> None:
        # A plan with no OPRA has nothing newer, by REST as well.
        if self._settings.plan not in OPRA.plans:
            messages = with_late_trades(messages)
        for outgoing in messages:
            self._observe(outgoing.message)
        for feed in OPTION_FEEDS:
            self._endpoints[feed].publish(messages)

    def _publish_to_stocks(self, messages: Sequence[Outgoing]) -> None:
        for feed in STOCK_FEEDS:
            self._endpoints[feed].publish(messages)

    def _subscribed(self, channel: str) -> set[str]:
        return set().union(*(self._endpoints[feed].subscribed(channel) for feed in STOCK_FEEDS))

    def _send_updated_bar(self, symbol: str, minute: int | None) -> int:
        newest = self._clock() // MINUTE * MINUTE - MINUTE
        start = newest if minute is None else minute
        if is_pair(symbol):
            self.crypto.send([self.crypto.bars.update(symbol, start)])
            return self.crypto.listeners()
        self._publish_to_stocks([self._bars.update(symbol, start)])
        return sum(len(self._endpoints[feed].listeners) for feed in STOCK_FEEDS)

    def _publish_body(self, body: bytes) -> int:
        ready = [self._handmade(message, feed) for message, feed in read_messages(body)]
        self._send(ready)
        return len(ready)

    def _handmade(self, message: Mapping[str, object], feed: str | None) -> Handmade:
        return handmade(message, feed, self._market_data, self._clock())

    def _send(self, messages: Sequence[Handmade]) -> None:
        for feeds, group in groupby(messages, key=attrgetter("feeds")):
            outgoing = [Outgoing(each.message) for each in group]
            if not set(feeds).isdisjoint(PAIR_FEEDS):
                self.crypto.publish(outgoing, feeds)
                continue
            is_of_stocks = not set(feeds).isdisjoint(STOCK_FEEDS)
            for each in outgoing:
                if is_of_stocks or is_option_symbol(each.message.get("S")):
                    self._observe(each.message)
            for feed in feeds:
                self._endpoints[feed].publish(outgoing)

    def _observed(self, message: Mapping[str, object]) -> Outgoing:
        ready = with_times(message, self._clock(), strict=False)
        self._observe(ready)
        return Outgoing(ready)

    def _observe(self, message: Message) -> None:
        symbol = message.get("S")
        market = self._options if is_option_symbol(symbol) else self._market_of(symbol)
        market.observe(message)
        self._on_message(message)
        self._broker.observe(symbol)

    def _publish_update(self, update: Update) -> None:
        message = {"stream": TRADE_UPDATES, "data": update}
        self._endpoints[ACCOUNT.name].publish([Outgoing(message)])

    def _run_test_stream(self) -> Coroutine[None, None, None]:
        return fakepaca.run(
            self._endpoints[TEST.name].publish,
            clock=self._clock,
            sleep=asyncio.sleep,
            interval_seconds=self._settings.test_interval_seconds,
        )

    def _routes(self) -> list[BaseRoute]:
        own = control.routes(self.state, self.faults, self._publish_body)
        if self.captured is not None:
            return [*own, *self.captured.routes(), unknown_stream()]
        settings, data_guard, trading_guard = self._settings, self._guard(), self._guard()
        market_data = Rest(
            data_guard,
            settings.plan,
            self._market,
            settings.splits,
            self._armed,
            self._clock,
            self._inventor.look_up,
        )
        listed = {*settings.assets, *(each.symbol for each in settings.positions)}
        pairs = CryptoRest(data_guard, self.crypto.market, self._clock, self._inventor.look_up)
        options = OptionRest(data_guard, settings.plan, self._options, self._clock)
        contracts = ContractList(trading_guard, self._options, self._clock)
        trading = Trading(
            trading_guard,
            self._broker,
            settings.hours,
            self._clock,
            lambda symbol: symbol in listed or self._prices.knows(symbol),
            lambda: {*listed, *self._market.symbols(), *self.crypto.market.symbols()},
            self._inventor.look_up,
            settings.overnight_halted,
        )
        streams = [
            route
            for endpoint in self._endpoints.values()
            for route in stream_routes(endpoint, settings, self._slots, self._armed)
        ]
        rest = (market_data, pairs, options, contracts, trading)
        answers = [route for each in rest for route in each.routes()]
        return [*streams, *answers, *own, unknown_stream()]

    def _guard(self) -> Guard:
        budget = Budget(self._settings.requests_per_minute, lambda: self._clock() / SECOND)
        return Guard(self._settings.terms, budget, self._armed, self.faults.pause)

    def _own(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"simulator {name}")
        self._tasks.append(task)
        return task


def _steady_clock() -> Callable[[], int]:
    """Return a clock of Unix nanoseconds that does not jump with the machine's clock."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: offset + time.monotonic_ns()


def _raise_first(results: Sequence[BaseException | None]) -> None:
    for result in results:
        if isinstance(result, Exception):
            raise result
