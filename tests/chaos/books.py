"""The account's books: every state that it has had, and the prices at which it may be valued.

The broker's updates make them. The simulator's own ledger has to agree after each.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulator.account.asset import asset_of
from simulator.service import Simulator
from tests.chaos.follower import Complain
from tests.chaos.holdings import Owned, State, added, after, cents, fills_of
from tests.chaos.markets import multiplier

PRICES_NS = 60_000_000_000
"""An account may be valued at prices of the last minute: no longer does a fault stay unseen."""
PRICES_AT_LEAST = 3

UNSEEN_NS = 15_000_000_000
"""An activity has no update, nor has the fee of a sale: fills may be applied to the account of
before, until a report."""

_CENT = Decimal("0.01")
_ROUNDING = 3 * _CENT / 2
"""Equity, longs and shorts are each rounded to cents."""
_NOTHING = Decimal(0)


@dataclass
class _Shadow:
    """The account without a change that REST alone shows, until it must have been seen."""

    state: State
    until: int


@dataclass
class _Prices:
    """The prices of a symbol, each with its time in unix nanoseconds."""

    times: list[int] = field(default_factory=list)
    prices: list[Decimal] = field(default_factory=list)
    known: set[Decimal] = field(default_factory=set)

    def add(self, price: Decimal, at: int) -> None:
        self.times.append(at)
        self.prices.append(price)
        self.known.add(price)

    def bounds(self, since: int) -> tuple[Decimal, Decimal]:
        """Return the lowest and the highest price since a time."""
        start = bisect_left(self.times, since)
        recent = self.prices[min(start, max(0, len(self.prices) - PRICES_AT_LEAST)) :]
        return min(recent), max(recent)


class Books:
    """The account of one simulator. The work of each call depends on no number of states."""

    def __init__(
        self, simulator: Simulator, complain: Complain, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """``clock`` returns unix nanoseconds."""
        self._simulator = simulator
        self._complain = complain
        self._clock = clock
        self._newest: list[State] = []
        self._by_cash: dict[Decimal, list[State]] = {}
        self._owned: defaultdict[tuple[str, Decimal], set[Owned]] = defaultdict(set)
        """What a position of a quantity has cost, in all states that events may show."""
        self._shadows: list[_Shadow] = []
        self._prices: defaultdict[str, _Prices] = defaultdict(_Prices)
        owned: Mapping[str, Owned] = {}
        for one in simulator.account.holdings:
            symbol = asset_of(one.symbol).market_symbol
            owned = added(owned, symbol, one.quantity, one.entry_price)
        self._never_closed = set(owned)
        self._add(State(simulator.account.cash, owned))

    @property
    def now(self) -> State:
        """The newest state."""
        return self._newest[-1]

    def price(self, symbol: str, price: float, now: int) -> None:
        """Note a price at which a position may be valued from now on (unix ns)."""
        self._prices[symbol].add(Decimal(str(price)), now)

    def newest_price(self, symbol: str) -> Decimal | None:
        """Return the price that was noted last."""
        prices = self._prices[symbol].prices
        return prices[-1] if prices else None

    def had_price(self, symbol: str, price: float) -> bool:
        """Return whether a price was noted at any time."""
        return Decimal(str(price)) in self._prices[symbol].known

    def on_update(self, update: Mapping[str, Any]) -> None:
        """Book the executions in an update of an order; those of all legs are one change."""
        fills = fills_of(update)
        if not fills:
            return
        now = self._clock()
        self._shadows = [each for each in self._shadows if each.until > now]
        for each in self._shadows:
            each.state = after(each.state, fills)
            self._note(each.state)
        self._add(after(self.now, fills))
        if fee := sum((fill.fee for fill in fills), _NOTHING):
            self._add_unseen(State(self.now.cash - fee, self.now.owned))
        self._compare()

    def activity(self, symbol: str, qty: Decimal, cash: Decimal) -> None:
        """Let units arrive for nothing, and cash, as an activity of the account does."""
        self._simulator.faults.activity(symbol=symbol, qty=qty, cash=cash)
        owned = added(self.now.owned, symbol, qty, _NOTHING)
        self._add_unseen(State(self.now.cash + cash, owned))
        self._compare()

    def matches(self, event: Mapping[str, Any], since: int) -> bool:
        """Return whether an account event equals a state that the account has had.

        The values of the positions are those of prices since a time, unix nanoseconds.
        """
        names = sorted(event["positions"])
        return any(
            names == sorted(state.owned) and self._is_worth(state, event, since)
            for state in self._by_cash.get(cents(event["cash"]), ())
        )

    def near(self, event: Mapping[str, Any]) -> list[State]:
        """Return the states with the cash of an event, else the newest ones: for a complaint."""
        return self._by_cash.get(cents(event["cash"])) or self._newest

    def owned(self, symbol: str, qty: Decimal) -> list[Owned]:
        """Return what a position of a quantity has cost, at any time."""
        return sorted(self._owned.get((symbol, qty), ()))

    def has_been_closed(self, symbol: str) -> bool:
        """Return whether a symbol was in no position at any time."""
        return symbol not in self._never_closed

    def _is_worth(self, state: State, event: Mapping[str, Any], since: int) -> bool:
        if not all(self._prices[symbol].prices for symbol in state.owned):
            return False
        bounds = {symbol: self._prices[symbol].bounds(since) for symbol in state.owned}
        for field_name, sign in (("long_market_value", 1), ("short_market_value", -1)):
            ends = [
                sorted(each.qty * multiplier(symbol) * price for price in bounds[symbol])
                for symbol, each in state.owned.items()
                if each.qty * sign > 0
            ]
            lowest = sum((low for low, _ in ends), _NOTHING) - _CENT
            highest = sum((high for _, high in ends), _NOTHING) + _CENT
            if not lowest <= cents(event[field_name]) <= highest:
                return False
        values = cents(event["long_market_value"]) + cents(event["short_market_value"])
        return abs(cents(event["equity"]) - state.cash - values) <= _ROUNDING

    def _add_unseen(self, state: State) -> None:
        """Add a state that REST alone shows: fills may still be applied to the one before."""
        self._shadows.append(_Shadow(self.now, self._clock() + UNSEEN_NS))
        self._add(state)

    def _add(self, state: State) -> None:
        self._newest = [*self._newest[-2:], state]
        self._note(state)

    def _note(self, state: State) -> None:
        self._by_cash.setdefault(cents(state.cash), []).append(state)
        self._never_closed.intersection_update(state.owned)
        for symbol, owned in state.owned.items():
            self._owned[symbol, owned.qty].add(owned)

    def _compare(self) -> None:
        """Complain if the simulator's own ledger differs, and continue with its figures."""
        positions = self._simulator.account.positions.values()
        theirs = {each.asset.market_symbol: each.quantity for each in positions}
        cash, ours = self._simulator.account.cash, self.now
        if (theirs, cash) != ({s: each.qty for s, each in ours.owned.items()}, ours.cash):
            self._complain(f"the simulator has {cash} and {theirs}, by the books {ours}")
            costs = {s.asset.market_symbol: s.cost * s.asset.multiplier for s in positions}
            owned = {symbol: Owned(qty, costs[symbol]) for symbol, qty in theirs.items()}
            self._add(State(cash, owned))
