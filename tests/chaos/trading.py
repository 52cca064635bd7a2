"""The tape at its speed, and the orders: publishes at the simulator, and looks at it each time."""

import asyncio
import random
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx

from ingest.market.symbol_states import LEAST_QUIET_SECONDS
from ingest.market.withheld_trades import OWED_LOOKS
from simulator.protocol.rfc3339 import SECOND
from simulator.service import Simulator
from tests.chaos.books import COIN, Books
from tests.chaos.day_bars import DayBarLedger
from tests.chaos.follower import Complain
from tests.chaos.news import NewsLedger
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape
from tests.simulator.client import KEYS

TICK_SECONDS = 0.025
TICKS_PER_PROBE = 4
TICKS_PER_ARTICLE = 20

PACE_NS = 6 * SECOND
"""The time after which a connection's usual pauses are known."""

UNNOTICED_NS = round((LEAST_QUIET_SECONDS + OWED_LOOKS) * SECOND)
"""A symbol that a connection withholds for less looks quiet; REST is asked then."""

TRADED = ("SPY", "IBM", "BAC", "T", "CALM")
"""The symbols in which the account trades."""
ORDERS_AT_ONCE = 3
MOST_SHARES = 900
COIN_PRICE = 60_000.0


class Trading:
    """Trades until it is closed. ``symbols`` are those that trade all the time."""

    def __init__(
        self,
        tape: Tape,
        simulator: Simulator,
        books: Books,
        bars: DayBarLedger,
        news: NewsLedger,
        http: httpx.AsyncClient,
        complain: Complain,
    ) -> None:
        self.symbols = [*BUSY]
        self.messages = 0
        self.fills = 0
        self._tape = tape
        self._simulator = simulator
        self._books = books
        self._bars = bars
        self._news = news
        self._http = http
        self._complain = complain
        self._closed = False
        self._sessions = self._session_since = 0
        self._withheld: list[tuple[str, int]] = []
        """Withheld symbols, each with the end of that in unix nanoseconds."""

    async def run(self) -> None:
        """Publish forty messages a second, ten of the probe, and two articles."""
        tick = 0
        while not self._closed:
            await self._publish(self._tape.anything(self.symbols, time.time_ns()))
            if tick % TICKS_PER_PROBE == 0:
                await self._publish(self._tape.trade(PROBE, time.time_ns()))
            if tick % TICKS_PER_ARTICLE == 0:
                await self._simulator.publish(self._news.anything(BUSY, time.time_ns()))
            tick += 1
            await asyncio.sleep(TICK_SECONDS)

    async def one_of(self, symbols: Sequence[str]) -> None:
        """Trade each of these once."""
        for symbol in symbols:
            await self._publish(self._tape.trade(symbol, time.time_ns()))

    def some_trades(self) -> list[dict[str, Any]]:
        """Return a trade of each busy symbol, for a frame that the caller sends."""
        return [self._noted(self._tape.trade(symbol, time.time_ns())) for symbol in BUSY]

    def on_mute(self, seconds: float) -> None:
        """Note that the stream swallows its messages for a time.

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

    def an_owned_symbol(self) -> str | None:
        """Return a symbol of an open position in a stock."""
        owned = sorted(set(self._books.now.owned).intersection(TRADED))
        return self._tape.dice.choice(owned) if owned else None

    def a_busy_symbol(self) -> str:
        """Return one of the symbols that trade all the time."""
        return self._tape.dice.choice(BUSY)

    async def retract(self, symbols: Sequence[str], *, cancel: bool | None = None) -> None:
        """Cancel or correct the newest print of each of these that can be."""
        for symbol in symbols:
            if self._tape.can_retract(symbol):
                await self._publish(self._tape.retraction(symbol, time.time_ns(), cancel=cancel))

    async def open(self) -> None:
        """Trade and quote everything once, so that everything is known."""
        await self._coin_trades()
        await self.one_of((PROBE, *BUSY, *QUIET))
        await self._quote_all()

    async def close(self) -> None:
        """Trade and quote the busy symbols a last time."""
        self._closed = True
        await self.one_of((PROBE, *self.symbols))
        await self._quote_all()

    async def fill(self, symbol: str | None = None) -> None:
        """Fill an order of the account, of some symbol that it trades, at the present price."""
        chosen = symbol or self._tape.dice.choice(TRADED)
        qty, price = self._quantity(chosen), self._present_price(chosen)
        self.fills += 1
        await self._books.fill(chosen, qty, Decimal(str(price)))

    def a_fill(self) -> tuple[str, Decimal, Decimal]:
        """Return symbol, quantity and price of an order that a fault fills later."""
        symbol = self._tape.dice.choice(TRADED)
        return symbol, self._quantity(symbol), Decimal(str(self._present_price(symbol)))

    async def buy_coins(self) -> None:
        """Buy coins, of which the fee is taken, or sell all of them."""
        if COIN in self._books.now.owned and self._tape.dice.random() < 0.3:
            qty = -self._books.now.owned[COIN].qty
            # The fee of a sale is in dollars, and the books do not know it.
            self._books.activity(COIN, qty, -qty * Decimal(str(COIN_PRICE)))
            return
        await self.fill(COIN)

    async def order_some(self) -> None:
        """Send market orders that the next quotes fill in parts, one of each symbol.

        The books could not tell apart two fills of one symbol at one quote.
        """
        await self._http.delete(f"{self._simulator.rest_url}/v2/orders", headers=KEYS)
        symbols = [each for each in TRADED if each in BUSY]
        for symbol in self._tape.dice.sample(symbols, ORDERS_AT_ONCE):
            await self._order(symbol)

    async def _order(self, symbol: str) -> None:
        qty = self._quantity(symbol) * 2
        asked = {"symbol": symbol, "qty": str(abs(qty)), "side": "buy" if qty > 0 else "sell"}
        asked |= {"type": "market", "time_in_force": "gtc"}
        url = f"{self._simulator.rest_url}/v2/orders"
        answer = await self._http.post(url, headers=KEYS, json=asked)
        self._books.observe()
        # 403: the buying power is used up. REST may be down by another fault of the same step, and
        # has then accepted no order.
        is_down = answer.status_code == 503 and "a simulated fault" in answer.text
        if answer.status_code not in (200, 403) and not is_down:
            self._complain(f"an order was answered with {answer.status_code}: {answer.text}")

    def activity(self) -> None:
        """Let some shares and dollars arrive or leave, with no order."""
        dice, symbol = self._tape.dice, self._tape.dice.choice(TRADED)
        self._books.activity(symbol, self._quantity(symbol), Decimal(dice.randrange(1, 9999)) / 100)

    def _quantity(self, symbol: str) -> Decimal:
        """Return shares to buy, or to sell if negative: mostly towards no position."""
        dice = self._tape.dice
        if symbol == COIN:
            return Decimal(dice.randrange(1_000_000, 9_000_000)) / 1_000_000_000
        owned = self._books.now.owned.get(symbol)
        has = 0 if owned is None else int(owned.qty)
        if dice.random() < 0.15 and owned is not None:
            return -owned.qty
        return Decimal(
            dice.randrange(50, 400) * (1 if has < dice.randrange(-MOST_SHARES, MOST_SHARES) else -1)
        )

    def _present_price(self, symbol: str) -> float:
        return COIN_PRICE if symbol == COIN else self._tape.price(symbol)

    async def _coin_trades(self) -> None:
        await self._publish({"T": "t", "S": COIN, "i": 1, "x": "CBSE", "p": COIN_PRICE, "s": 1})
        self._books.price(COIN, COIN_PRICE, time.time_ns())

    async def _quote_all(self) -> None:
        for symbol in (PROBE, *BUSY, *QUIET):
            await self._publish(self._tape.quote(symbol, time.time_ns()))

    async def _publish(self, message: dict[str, Any]) -> None:
        self.messages += 1
        self._books.observe()
        await self._simulator.publish(self._noted(message))
        self._bars.note(str(message["S"]))
        self._books.observe()
        self.check_sessions()

    def _noted(self, message: dict[str, Any]) -> dict[str, Any]:
        """Note the price of a trade or a correction, at which the account may be valued."""
        price = message.get("cp") if message["T"] == "c" else message.get("p")
        if price is not None and message["T"] != "x":
            self._books.price(str(message["S"]), price, time.time_ns())
        return message

    def check_sessions(self) -> None:
        """Complain of a second session at the simulator."""
        state: Any = self._simulator.state()["endpoints"]
        iex = state["iex"]
        if iex["sessions_total"] != self._sessions:
            self._sessions, self._session_since = iex["sessions_total"], time.time_ns()
            self._excuse_short_silences()
        if iex["sessions_peak"] > 1:
            self._complain(f"a second session at the simulator: {iex}")

    def _excuse_short_silences(self) -> None:
        """Excuse what a new connection withholds for less than a usual pause of the symbol."""
        now = self._session_since
        for symbol, end in self._withheld:
            if now < end < now + UNNOTICED_NS:
                self._tape.ledger.swallowed.append((now, end, symbol))
