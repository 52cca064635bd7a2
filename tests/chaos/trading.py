"""The tapes at their speed: publishes at the simulator, and looks at its sessions each time."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import httpx

from ingest.market.symbol_states import LEAST_QUIET_SECONDS
from ingest.market.withheld_trades import OWED_LOOKS
from simulator.protocol.rfc3339 import SECOND
from tests.chaos.bot import Bot
from tests.chaos.follower import Complain
from tests.chaos.markets import (
    BOOK_PAIR,
    CONTRACTS_FEED,
    PAIRS,
    PAIRS_FEED,
    STOCKS_FEED,
)
from tests.chaos.other_tape import OtherTape
from tests.chaos.record import Record
from tests.chaos.tape import BUSY, PROBE, QUIET

TICK_SECONDS = 0.025
TICKS_PER_PROBE = 4
TICKS_PER_OTHER = 4
TICKS_PER_ARTICLE = 20

PACE_NS = 6 * SECOND
"""The time after which a connection's usual pauses are known."""

UNNOTICED_NS = round((LEAST_QUIET_SECONDS + OWED_LOOKS) * SECOND)
"""A symbol that a connection withholds for less looks quiet; REST is asked then."""


class Trading:
    """Trades until it is closed. ``symbols`` are the stocks that trade all the time.

    ``bot`` trades on the account; ``contracts`` are those of the replayed tape.
    """

    def __init__(self, record: Record, http: httpx.AsyncClient, complain: Complain) -> None:
        self.symbols = [*BUSY]
        self.messages = 0
        self.contracts = tuple(record.simulator.replayed_options)
        self._tape = record.tape
        self._simulator = record.simulator
        self._books = record.books
        self._bars = record.bars
        self._news = record.news
        self._other_tape = OtherTape(record.simulator, record.tape.dice)
        self.bot = Bot(record, self._other_tape, self.contracts, http, complain)
        self._complain = complain
        self._closed = False
        self._sessions = self._session_since = 0
        self._withheld: list[tuple[str, int]] = []
        """Withheld symbols, each with the end of that in unix nanoseconds."""

    async def run(self) -> None:
        """Publish forty messages of stocks a second, ten of the probe, ten of others, two articles.

        The others are pairs and contracts, which the tapes of the simulator also have.
        """
        tick = 0
        while not self._closed:
            await self._publish(self._tape.anything(self.symbols, time.time_ns()))
            if tick % TICKS_PER_PROBE == 0:
                await self._publish(self._tape.trade(PROBE, time.time_ns()))
            if tick % TICKS_PER_OTHER == TICKS_PER_OTHER // 2:
                await self._publish_other(self._other(tick // TICKS_PER_OTHER))
            if tick % TICKS_PER_ARTICLE == 0:
                await self._simulator.publish(self._news.anything(BUSY, time.time_ns()))
            tick += 1
            await asyncio.sleep(TICK_SECONDS)

    @property
    def probes(self) -> tuple[str, str]:
        """The pair and the contract that trade all the time, and that no fault withholds."""
        return BOOK_PAIR, self.contracts[0]

    async def one_of(self, symbols: Sequence[str]) -> None:
        """Trade each of these stocks once."""
        for symbol in symbols:
            await self._publish(self._tape.trade(symbol, time.time_ns()))

    def some_trades(self) -> list[dict[str, Any]]:
        """Return a trade of each busy stock, for a frame that the caller sends."""
        return [self._noted(self._tape.trade(symbol, time.time_ns())) for symbol in BUSY]

    def some_other_trades(self, feed: str) -> list[dict[str, Any]]:
        """Return a trade of each pair, or of each contract, for a frame that the caller sends."""
        now = time.time_ns()
        return [self._other_tape.trade(symbol, now) for symbol in self._others(feed)]

    def on_mute(self, seconds: float) -> None:
        """Note that the stream of stocks swallows its messages for a time.

        A silence is odd once the usual pauses of the connection are known; a loss before that
        cannot be seen by any client of Alpaca's.
        """
        now = time.time_ns()
        end = now + round((seconds + 0.1) * SECOND)
        self._bars.hide(end, None)
        if now - self._session_since < PACE_NS:
            self._tape.ledger.swallowed.append((now, end, None))

    def on_withheld(self, symbol: str, seconds: float) -> None:
        """Note that the stream withholds a symbol for a time, also from later connections.

        A silence of that length is noticed, unless a new connection begins in between.
        """
        end = time.time_ns() + round((seconds + 0.1) * SECOND)
        self._bars.hide(end, symbol)
        self._withheld.append((symbol, end))

    def note_bars(self, symbols: Sequence[str]) -> None:
        """Note the day bars after messages that a caller has sent."""
        for symbol in symbols:
            self._bars.note(symbol)

    @property
    def dice(self) -> random.Random:
        """The run's source of chance."""
        return self._tape.dice

    def a_busy_symbol(self) -> str:
        """Return one of the stocks that trade all the time."""
        return self._tape.dice.choice(BUSY)

    def another(self, feed: str) -> str:
        """Return a pair or a contract that is no probe, and whose book is not watched."""
        return self.dice.choice([s for s in self._others(feed) if s not in self.probes])

    async def retract(self, symbols: Sequence[str], *, cancel: bool | None = None) -> None:
        """Cancel or correct the newest print of each of these that can be."""
        for symbol in symbols:
            if self._tape.can_retract(symbol):
                await self._publish(self._tape.retraction(symbol, time.time_ns(), cancel=cancel))

    async def open(self) -> None:
        """Trade and quote everything once, so that everything is known."""
        await self.one_of((PROBE, *BUSY, *QUIET))
        await self._quote_all()

    async def close(self) -> None:
        """End the tapes; trade and quote what trades all the time a last time."""
        self._closed = True
        self._simulator.end_replays()
        if book := self._other_tape.whole_book(BOOK_PAIR, time.time_ns()):
            await self._publish_other(book)
        await self.one_of((PROBE, *self.symbols))
        await self._quote_all()

    def _others(self, feed: str) -> Sequence[str]:
        return {PAIRS_FEED: PAIRS, CONTRACTS_FEED: self.contracts}[feed]

    def _other(self, turn: int) -> dict[str, Any]:
        """Return a message of a pair or a contract: in every second turn a trade of a probe."""
        now, (pair, contract) = time.time_ns(), self.probes
        match turn % 4:
            case 0:
                return self._other_tape.trade(pair, now)
            case 1:
                return self._other_tape.trade(contract, now)
            case 2:
                return self._other_tape.anything(PAIRS, now)
            case _:
                return self._other_tape.anything(self.contracts, now)

    async def _quote_all(self) -> None:
        for symbol in (PROBE, *BUSY, *QUIET):
            await self._publish(self._tape.quote(symbol, time.time_ns()))
        for symbol in (*PAIRS, *self.contracts):
            for make in (self._other_tape.trade, self._other_tape.quote):
                await self._publish_other(make(symbol, time.time_ns()))

    async def _publish(self, message: dict[str, Any]) -> None:
        self.messages += 1
        await self._simulator.publish(self._noted(message))
        self._bars.note(str(message["S"]))
        self.check_sessions()

    async def _publish_other(self, message: dict[str, Any]) -> None:
        self.messages += 1
        await self._simulator.publish(message)
        for feed in (PAIRS_FEED, CONTRACTS_FEED):
            self._check_peak(feed)

    def _noted(self, message: dict[str, Any]) -> dict[str, Any]:
        """Note the price of a trade or a correction, at which the account may be valued."""
        price = message.get("cp") if message["T"] == "c" else message.get("p")
        if price is not None and message["T"] != "x":
            self._books.price(str(message["S"]), price, time.time_ns())
        return message

    def check_sessions(self) -> None:
        """Complain of a second session of stocks at the simulator."""
        iex = self._check_peak(STOCKS_FEED)
        if iex["sessions_total"] != self._sessions:
            self._sessions, self._session_since = iex["sessions_total"], time.time_ns()
            self._excuse_short_silences()

    def _check_peak(self, feed: str) -> dict[str, Any]:
        """Complain if a stream has had two sessions at one time; return its state."""
        state: dict[str, Any] = self._simulator.stream_state(feed)
        if state["sessions_peak"] > 1:
            self._complain(f"a second session of {feed} at the simulator: {state}")
        return state

    def _excuse_short_silences(self) -> None:
        """Excuse what a new connection withholds for less than a usual pause of the symbol."""
        now = self._session_since
        for symbol, end in self._withheld:
            if now < end < now + UNNOTICED_NS:
                self._tape.ledger.swallowed.append((now, end, symbol))
