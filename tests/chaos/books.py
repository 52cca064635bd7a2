"""The account in decimals: its fills, and every state that it has had.

Written without a look at the ingest, and apart from the simulator's own ledger, which it checks.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from simulator.service import Simulator
from tests.chaos.follower import Complain

COIN = "BTC/USD"
FEE = Decimal("0.0025")
"""Alpaca takes it from the coins that were bought."""

PRICES_NS = 60_000_000_000
"""An account may be valued at prices of the last minute: no longer does a fault stay unseen."""
PRICES_AT_LEAST = 3

UNSEEN_NS = 15_000_000_000
"""An activity has no update: fills may be applied to the account of before, until a report."""

_CENT = Decimal("0.01")
_SMALLEST_COIN = Decimal("1e-9")


class Owned(NamedTuple):
    """Units of one symbol (negative when sold short) and their cost in dollars."""

    qty: Decimal
    cost: Decimal


@dataclass(frozen=True)
class State:
    """The account between two changes."""

    cash: Decimal
    owned: Mapping[str, Owned]


@dataclass
class _Shadow:
    """The account without an activity that REST alone shows, until it must have been seen."""

    state: State
    until: int


@dataclass
class _Prices:
    """The prices of a symbol, each with its time in unix nanoseconds."""

    times: list[int] = field(default_factory=list)
    prices: list[Decimal] = field(default_factory=list)

    def bounds(self, since: int) -> tuple[Decimal, Decimal]:
        """Return the lowest and the highest price since a time."""
        start = bisect_left(self.times, since)
        recent = self.prices[min(start, max(0, len(self.prices) - PRICES_AT_LEAST)) :]
        return min(recent), max(recent)


class Books:
    """The account of one simulator."""

    def __init__(
        self, simulator: Simulator, complain: Complain, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """``clock`` returns unix nanoseconds."""
        self._simulator = simulator
        self._complain = complain
        self._clock = clock
        owned = {
            one.symbol: Owned(one.quantity, one.quantity * one.entry_price)
            for one in simulator.account.holdings
        }
        self.states: list[State] = []
        self._shown: list[State] = []
        """Every state that an event may show."""
        self._by_cash: defaultdict[Decimal, list[State]] = defaultdict(list)
        self._shadows: list[_Shadow] = []
        self._add(State(simulator.account.cash, owned))
        self._prices: defaultdict[str, _Prices] = defaultdict(_Prices)

    @property
    def now(self) -> State:
        """The newest state."""
        return self.states[-1]

    def price(self, symbol: str, price: float, now: int) -> None:
        """Note a price at which a symbol was traded."""
        found = self._prices[symbol]
        found.times.append(now)
        found.prices.append(Decimal(str(price)))

    async def fill(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Fill an order at the simulator, and book it."""
        self.observe()
        await self._simulator.fill(symbol, qty, price)
        self._book(symbol, qty, qty * price)
        self._compare()

    def activity(self, symbol: str, qty: Decimal, cash: Decimal) -> None:
        """Let shares arrive for nothing, and cash, as an activity of the account does."""
        self.observe()
        self._simulator.faults.activity(symbol=symbol, qty=qty, cash=cash)
        self._shadows.append(_Shadow(self.now, self._clock() + UNSEEN_NS))
        got = bought(self.now, symbol, qty, Decimal(0))
        self._add(State(got.cash + cash, got.owned))
        self._compare()

    def observe(self) -> None:
        """Book a fill that happened at the simulator by itself, of one symbol."""
        theirs, ours = self._theirs(), self.now
        for symbol in {*theirs, *ours.owned}:
            was = ours.owned.get(symbol, Owned(Decimal(0), Decimal(0)))
            if (change := theirs.get(symbol, Decimal(0)) - was.qty) != 0:
                self._book(symbol, change, ours.cash - self._simulator.account.cash)
                break
        self._compare()

    def matches(self, event: Mapping[str, Any], since: int) -> bool:
        """Return whether an account event equals a state that the account has had.

        The values of the positions are those of prices since a time, unix nanoseconds.
        """
        names = sorted(event["positions"])
        return any(
            names == sorted(state.owned) and self._is_worth(state, event, since)
            for state in self._by_cash[cents(event["cash"])]
        )

    def near(self, event: Mapping[str, Any]) -> list[State]:
        """Return the states with the cash of an event, else the newest ones: for a complaint."""
        return self._by_cash.get(cents(event["cash"])) or self.states[-3:]

    def owned(self, symbol: str, qty: Decimal) -> list[Owned]:
        """Return what a position of a quantity has cost, at any time."""
        found = {state.owned[symbol] for state in self._shown if symbol in state.owned}
        return [each for each in found if each.qty == qty]

    def has_been_closed(self, symbol: str) -> bool:
        """Return whether a symbol was in no position at any time."""
        return any(symbol not in state.owned for state in self._shown)

    def _is_worth(self, state: State, event: Mapping[str, Any], since: int) -> bool:
        bounds = {symbol: self._prices[symbol].bounds(since) for symbol in state.owned}
        for field_name, sign in (("long_market_value", 1), ("short_market_value", -1)):
            some = [(each.qty, bounds[s]) for s, each in state.owned.items() if each.qty * sign > 0]
            ends = [sorted((qty * low, qty * high)) for qty, (low, high) in some]
            lowest = sum((low for low, _ in ends), Decimal(0)) - _CENT
            highest = sum((high for _, high in ends), Decimal(0)) + _CENT
            if not lowest <= cents(event[field_name]) <= highest:
                return False
        values = cents(event["long_market_value"]) + cents(event["short_market_value"])
        return abs(cents(event["equity"]) - state.cash - values) <= _CENT

    def _book(self, symbol: str, qty: Decimal, paid: Decimal) -> None:
        """Add units that cost so much, also to the account as it is without unseen activities."""
        self._add(bought(self.now, symbol, qty, paid))
        now = self._clock()
        self._shadows = [each for each in self._shadows if each.until > now]
        for each in self._shadows:
            each.state = bought(each.state, symbol, qty, paid)
            self._note(each.state)

    def _add(self, state: State) -> None:
        self.states.append(state)
        self._note(state)

    def _note(self, state: State) -> None:
        self._shown.append(state)
        self._by_cash[cents(state.cash)].append(state)

    def _theirs(self) -> dict[str, Decimal]:
        positions = self._simulator.account.positions
        return {each.asset.market_symbol: each.quantity for each in positions.values()}

    def _compare(self) -> None:
        """Complain if the simulator's own ledger differs, and continue with its figures."""
        theirs, cash = self._theirs(), self._simulator.account.cash
        if (theirs, cash) != ({s: each.qty for s, each in self.now.owned.items()}, self.now.cash):
            self._complain(f"the simulator has {cash} and {theirs}, by the books {self.now}")
            positions = self._simulator.account.positions
            owned = {
                each.asset.market_symbol: Owned(each.quantity, each.cost)
                for each in positions.values()
            }
            self._add(State(cash, owned))


def bought(state: State, symbol: str, qty: Decimal, paid: Decimal) -> State:
    """Return the account with more units that cost so much; a larger sale turns a position."""
    was = state.owned.get(symbol, Owned(Decimal(0), Decimal(0)))
    got = qty
    if symbol == COIN and qty > 0:
        got = (qty * (1 - FEE)).quantize(_SMALLEST_COIN, ROUND_DOWN)
    price = paid / qty
    new = was.qty + got
    if was.qty * qty >= 0:
        cost = was.cost + got * price
    elif was.qty * new >= 0:
        cost = was.cost * new / was.qty
    else:
        cost = new * price
    owned = {**state.owned, symbol: Owned(new, cost)}
    if not new:
        del owned[symbol]
    return State(state.cash - paid, owned)


def cents(amount: Any) -> Decimal:
    """Return an amount of money as events show it."""
    return Decimal(str(amount)).quantize(_CENT, ROUND_HALF_EVEN)
