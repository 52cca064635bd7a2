"""The day bars of a client against those that REST has had. ``clock`` gives unix ns."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from simulator.protocol import rfc3339
from tests.chaos.follower import NEVER, Complain, Follower, order_of

UNCERTAIN, MOST_SHARES = 3, 1_900
"""The prints at the moment of a snapshot, and the shares of the largest."""

NOTICED_NS = 65_000_000_000
"""The time after a silence in which it is noticed, or the vendor's next bar comes."""


class DayBar(NamedTuple):
    """A day's bar so far: dollars and shares."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "DayBar":
        """Return the bar of a row of REST."""
        return cls(row["o"], row["h"], row["l"], row["c"], row["v"], row.get("n"))


class _States:
    """The states of one symbol's bar, by their numbers of trades: there are tens of thousands."""

    def __init__(self) -> None:
        self.opens: set[float] = set()
        self._by_trades: defaultdict[int, set[DayBar]] = defaultdict(set)

    def add(self, bar: DayBar) -> None:
        self.opens.add(bar.open)
        self._by_trades[bar.trades or 0].add(bar)

    def near(self, bar: DayBar) -> list[DayBar]:
        """Return the states with nearly as many trades."""
        trades = bar.trades or 0
        numbers = range(trades - UNCERTAIN, trades + UNCERTAIN + 1)
        return [had for number in numbers for had in self._by_trades.get(number, ())]


class DayBarLedger:
    """Every state that each symbol's bar of the day has had at REST."""

    def __init__(
        self,
        read: Callable[[str], Mapping[str, Any] | None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``read`` returns REST's present row of a symbol."""
        self._read = read
        self._clock = clock
        self._hidden: list[tuple[int, int, str | None]] = []
        """When the stream has withheld a symbol, None for all."""
        self._states: defaultdict[str, _States] = defaultdict(_States)
        self._today_ns: defaultdict[str, int] = defaultdict(lambda: -1)
        """By symbol the start of the newest day that has a bar (unix ns); pairs have other days."""

    def note(self, symbol: str) -> None:
        """Note the present state of a symbol's bar."""
        if (now := self.now(symbol)) is not None:
            self._states[symbol].add(now)

    def now(self, symbol: str) -> DayBar | None:
        """Return the present state of a symbol's bar."""
        row = self._read(symbol)
        if row is None:
            return None
        self._today_ns[symbol] = max(self._today_ns[symbol], row["t"])
        return DayBar.of_row(row)

    def is_past(self, symbol: str, at_ns: int) -> bool:
        """Return whether a bar that starts at a time is one of an earlier day."""
        return at_ns < self._today_ns[symbol]

    def hide(self, end_ns: int, symbol: str | None) -> None:
        """Note that the stream withholds a symbol, None for all, from now until a moment.

        Until that is noticed, no check can know which prints the bar lacks.
        """
        self._hidden.append((self._clock(), end_ns + NOTICED_NS, symbol))

    def is_hidden(self, symbol: str) -> bool:
        """Return whether prints of a symbol may be hidden from the stream's clients now."""
        now = self._clock()
        return any(begin <= now <= end and of in (None, symbol) for begin, end, of in self._hidden)

    def like(self, symbol: str, bar: DayBar) -> list[DayBar]:
        """Return the states that are most like one."""
        near = self._states[symbol].near(bar)
        return sorted(near, key=lambda each: abs(each.volume - bar.volume))[:3]

    def has_had(self, symbol: str, bar: DayBar) -> bool:
        """Return whether REST has had this state.

        A snapshot says neither which prints of its moment it contains, nor when its open and its
        close were. Until the vendor's next bar of the stream, a few prints may count twice in the
        volume, or not at all, and a late print leaves open and close as they were.
        """
        states = self._states[symbol]
        near = [
            had
            for had in states.near(bar)
            if abs(had.volume - bar.volume) <= UNCERTAIN * MOST_SHARES
        ]
        return (
            (bar.high, bar.low) in {(had.high, had.low) for had in near}
            and bar.close in {had.close for had in near}
            and bar.open in states.opens
        )


class DayBars(Follower):
    """Follows the day bars of one client; ``shown`` holds the newest ones."""

    def __init__(
        self, name: str, symbols: Collection[str], ledger: DayBarLedger, complain: Complain
    ) -> None:
        super().__init__(name, complain)
        self.shown: dict[str, DayBar] = {}
        self._symbols = frozenset(symbols)
        self._ledger = ledger
        self._order: defaultdict[str, tuple[int, ...]] = defaultdict(lambda: NEVER)
        self._began: set[str] = set()
        """The symbols of which this stream has sent a bar. It may start with the one before."""

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._began.clear()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a bar: REST has had it, so it is not from the future, and it is newer.

        A stream may begin with the bar of the day before.
        """
        if kind != "bar.1Day":
            return
        symbol, order = str(data["symbol"]), order_of(data["event_id"])
        if self._ledger.is_past(symbol, rfc3339.parse(data["timestamp"])):
            return
        bar = DayBar(
            data["open"],
            data["high"],
            data["low"],
            data["close"],
            data["volume"],
            data["trade_count"],
        )
        self._ledger.note(symbol)
        is_true = self._ledger.is_hidden(symbol) or self._ledger.has_had(symbol, bar)
        if symbol not in self._symbols or not is_true:
            like = self._ledger.like(symbol, bar)
            self.wrong(f"a day bar that REST never had: {dict(data)}, but {like}")
        if order < self._order[symbol] or (order == self._order[symbol] and symbol in self._began):
            self.wrong(f"a day bar came again, or late: {dict(data)}")
        self._began.add(symbol)
        self._order[symbol] = max(order, self._order[symbol])
        self.shown[symbol] = bar

    def differences(self) -> list[str]:
        """Return the symbols whose newest bar is not REST's."""
        return [
            f"{self._name}: the day bar of {symbol} is {shown}, at REST {right}"
            for symbol in sorted(self._symbols)
            if (right := self._ledger.now(symbol)) != (shown := self.shown.get(symbol))
        ]
