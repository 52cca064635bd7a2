"""A broker by the book: what was owned at each moment, and unreliable accounts of it.

Written without a look at the ingest. A fill changes quantity, cost and cash at one moment; the
stream brings it later, REST shows it earlier or later still, and each of two requests may be
answered from another moment.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from shared import rfc3339
from tests.ingest.demand.wants import Clock

BASE_NS = 1_795_000_000_000_000_000
"""The broker's time at 0 of the clock."""

PRICES = {
    "AAA": Decimal(100),
    "BBB": Decimal("20.5"),
    "CCC": Decimal(7),
    "BTC/USD": Decimal(60000),
    "AAA270115C00100000": Decimal("1.5"),
}
STOCKS = ("AAA", "BBB", "CCC")
COIN, OPTION = "BTC/USD", "AAA270115C00100000"


@dataclass(frozen=True)
class Faults:
    """How far the broker's channels are from ideal; seconds are upper bounds."""

    stream_delay: float = 0.1
    rest_lag: float = 0.0
    torn: bool = False
    reordered: bool = False
    repeated: bool = False
    lost: bool = False
    activities: bool = False
    prices_move: bool = False


class Update(NamedTuple):
    """An execution as the stream brings it, and the time at which it does."""

    due: float
    symbol: str
    delta: Decimal
    price: Decimal
    qty: Decimal
    at: str
    name: str


class Event(NamedTuple):
    """A change of a symbol: its time, the quantity before it, and whether it has an update."""

    at: float
    before: Decimal
    is_fill: bool


@dataclass
class State:
    """What is owned: cash, quantities and what they cost."""

    cash: Decimal
    qty: dict[str, Decimal] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)


class Broker:
    """The truth, at each moment since the start."""

    def __init__(self, dice: random.Random, faults: Faults, clock: Clock) -> None:
        self.clock, self.dice, self.faults = clock, dice, faults
        self.prices = dict(PRICES)
        self.now = State(Decimal(100_000))
        self.past: list[tuple[float, State]] = [(0.0, deepcopy(self.now))]
        self.steps: dict[str, list[tuple[Decimal, Decimal]]] = {}
        """For each symbol the quantity after each of its events, and the money they cost so far."""
        self.stream: list[Update] = []
        self.known_at = 0.0
        """Up to which time everything is known to the ingest, by an accepted report."""
        self._events: dict[str, list[Event]] = {}
        self._skew = dice.uniform(-90, 90)
        self._names = 0

    def fill(self, symbol: str) -> None:
        """Buy or sell, and let the stream bring it."""
        dice, held = self.dice, self.now.qty.get(symbol, Decimal(0))
        size = Decimal(dice.choice((1, 2, 5, 40, 100)))
        delta = size if dice.random() < 0.6 else -size
        if dice.random() < 0.2 and held:
            delta = -held
        # A purchase as small as the fees of others cannot be told from them if updates swap, or if
        # a report has its cash and not its coins: totals of moving prices show no such sum. With
        # such faults, the fees of a whole run are less than its smallest purchase.
        if symbol == COIN and (self.faults.reordered or self.faults.torn):
            delta = min(size, Decimal(5)) / 1_000
        elif symbol == COIN:
            delta = size / dice.choice((1_000, 100_000))
        if self._is_hidden(symbol, held + delta, is_fill=True):
            return
        price = self.prices[symbol]
        fee, gross = Decimal(0), dice.random() < 0.5
        if symbol == COIN and self.faults.activities:
            fee = delta * Decimal("0.0025")
        self._note(symbol, delta, delta * price * unit(symbol), price)
        if fee:
            self._note(symbol, -fee, Decimal(0), price)
        # Alpaca's position_qty may be from before the fee.
        after = self.now.qty.get(symbol, Decimal(0)) + (fee if gross else 0)
        self._send(symbol, delta, price, after)

    def activity(self) -> None:
        """Change the account as no trade update reports it."""
        dice = self.dice
        match dice.randrange(4):
            case 0:
                self._note("", Decimal(0), Decimal(dice.choice((-5, -12, 3))), Decimal(0))
            case 1:
                symbol = dice.choice(STOCKS)
                held = self.now.qty.get(symbol, Decimal(0))
                if held and not self._is_hidden(symbol, 2 * held, is_fill=False):
                    self._note(symbol, held, Decimal(0), Decimal(0))
                    self.prices[symbol] /= 2
            case 2:
                held = self.now.qty.get(OPTION, Decimal(0))
                if held and not self._is_hidden(OPTION, Decimal(0), is_fill=False):
                    self._note(OPTION, -held, Decimal(0), Decimal(0))
            case _:
                held = self.now.qty.get(OPTION, Decimal(0))
                shares = self.now.qty.get("AAA", Decimal(0)) + held * 100
                if (
                    held > 0
                    and not self._is_hidden(OPTION, Decimal(0), is_fill=False)
                    and not self._is_hidden("AAA", shares, is_fill=False)
                ):
                    self._note(OPTION, -held, Decimal(0), Decimal(0))
                    self._note("AAA", held * 100, held * 100 * 100, Decimal(100))

    def due(self) -> Iterator[Update]:
        """Yield, once, the updates that the stream has brought by now."""
        while self.stream and self.stream[0].due <= self.clock.now:
            yield self.stream.pop(0)

    def state(self, lag: float) -> State:
        """Return what was owned so many seconds ago."""
        return [state for at, state in self.past if at <= self.clock.now - lag or at == 0][-1]

    def positions(self, lag: float) -> list[dict[str, Any]]:
        """Return the rows of ``GET /v2/positions``."""
        state = self.state(lag)
        return [self._row(state, symbol) for symbol in state.qty]

    def account(self, lag: float) -> dict[str, Any]:
        """Return ``GET /v2/account``."""
        state = self.state(lag)
        values = [qty * self.prices[s] * unit(s) for s, qty in state.qty.items()]
        return {
            "cash": str(state.cash),
            "equity": str(state.cash + sum(values)),
            "last_equity": "100000",
            "long_market_value": str(sum(each for each in values if each > 0)),
            "short_market_value": str(sum(each for each in values if each < 0)),
        }

    def _is_hidden(self, symbol: str, after: Decimal, *, is_fill: bool) -> bool:
        """Return whether a change would hide a fill and an activity; note it if not.

        Two contracts expire, two are bought, and this update is lost or comes behind the next:
        the next one fits the two that were known, and no figure but a report's cash shows more.
        """
        events = self._events.setdefault(symbol, [])
        events[:] = [each for each in events if each.at >= self.known_at]
        event = Event(self.clock.now, self.now.qty.get(symbol, Decimal(0)), is_fill)
        kinds = {is_fill}
        for each in (event, *reversed(events)):
            kinds.add(each.is_fill)
            if self.faults.activities and each.before == after and len(kinds) > 1:
                return True
        events.append(event)
        return False

    def _note(self, symbol: str, delta: Decimal, money: Decimal, price: Decimal) -> None:
        now = self.now = deepcopy(self.now)
        before = now.qty.get(symbol, Decimal(0))
        after, cost = before + delta, now.cost.get(symbol, Decimal(0))
        now.cash -= money
        if before * delta >= 0:
            cost += money
        elif after * before > 0:
            cost *= after / before
        else:
            cost = after * price * unit(symbol)
        now.qty[symbol], now.cost[symbol] = after, cost
        if not after:
            del now.qty[symbol], now.cost[symbol]
        self.past.append((self.clock.now, now))
        steps = self.steps.setdefault(symbol, [(Decimal(0), Decimal(0))])
        steps.append((after, steps[-1][1] + money))

    def _send(self, symbol: str, delta: Decimal, price: Decimal, after: Decimal) -> None:
        self._names += 1
        at = rfc3339.from_nanoseconds(BASE_NS + round((self.clock.now + self._skew) * 1e9))
        due = self.clock.now + self.dice.uniform(0.01, self.faults.stream_delay)
        if self.stream and not self.faults.reordered:
            due = max(due, self.stream[-1].due)
        update = Update(due, symbol, delta, price, after, at, str(self._names))
        if self.faults.lost and self.dice.random() < 0.1:
            return
        self.stream.append(update)
        if self.faults.repeated and self.dice.random() < 0.1:
            self.stream.append(update._replace(due=due + self.dice.uniform(0, 2)))
        self.stream.sort(key=lambda each: each.due)

    def _row(self, state: State, symbol: str) -> dict[str, Any]:
        qty, cost, price = state.qty[symbol], state.cost[symbol], self.prices[symbol]
        value = qty * price * unit(symbol)
        return {
            "symbol": symbol.replace("/", ""),
            "asset_class": asset_class(symbol),
            "qty": str(qty),
            "side": "long" if qty > 0 else "short",
            "cost_basis": str(cost),
            "market_value": str(value),
            "unrealized_intraday_pl": str(value - cost),
            "current_price": str(price),
            "lastday_price": str(price),
        }


def unit(symbol: str) -> Decimal:
    """Return the shares behind one contract, 1 for anything else."""
    return Decimal(100 if symbol == OPTION else 1)


def asset_class(symbol: str) -> str:
    """Return the broker's name of it."""
    return {COIN: "crypto", OPTION: "us_option"}.get(symbol, "us_equity")
