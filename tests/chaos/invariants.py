"""What one client may never see, over all its streams. Pure: events in, complaints out."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from simulator.protocol import rfc3339
from tests.chaos.ledger import Ledger

Complain = Callable[[str], None]
Order = tuple[int, ...]

_NEVER: Order = (0, 0)
_MINUTE = 60 * rfc3339.SECOND


class Shown(NamedTuple):
    """The newest price of a symbol at a client; exchange time in unix nanoseconds."""

    at: int
    price: float


class Follower:
    """Follows one client. ``complain`` hears each broken invariant, ``shown`` holds its prices."""

    def __init__(
        self, name: str, symbols: Collection[str], ledger: Ledger, complain: Complain
    ) -> None:
        self.shown: dict[str, Shown] = {}
        self.ready = False
        self.streams = 0
        self._name = name
        self._symbols = frozenset(symbols)
        self._ledger = ledger
        self._complain = complain
        self._ids: dict[str, Order] = {}
        self._greeted = False
        self._here: set[str] = set()

    def opened(self) -> None:
        """A new stream has begun."""
        self.streams += 1
        self.ready = self._greeted = False
        self._here.clear()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an event of the open stream."""
        if self._greeted == (kind == "hello"):
            self._wrong(f"{kind} where hello comes first and once")
        self._greeted = True
        if kind == "price":
            self._price(data)
        elif kind == "ready":
            if self.ready:
                self._wrong("ready twice on one stream")
            if missing := self._symbols - self._here:
                self._wrong(f"ready without a price event for {', '.join(sorted(missing))}")
            self.ready = True

    def _price(self, data: Mapping[str, Any]) -> None:
        symbol = str(data["symbol"])
        if symbol not in self._symbols:
            self._wrong(f"a price of {symbol}, which it did not ask for")
        order = tuple(map(int, data["event_id"].split("-")))
        newest, first = self._ids.get(symbol, _NEVER), symbol not in self._here
        self._here.add(symbol)
        if first and order == _NEVER and data["price"] is None:
            return  # a gateway says why it has none: it knows less, and shows nothing older
        if order < newest or (order == newest and not first):
            self._wrong(f"{symbol} {data['event_id']} after {'-'.join(map(str, newest))}")
        self._ids[symbol] = max(order, newest)
        if data["price"] is not None:
            self._value(symbol, Shown(rfc3339.parse(data["timestamp"]), data["price"]), data)
        elif (last := self.shown.get(symbol)) and not self._ledger.retracted(symbol, last.at):
            self._wrong(f"{symbol} has lost its price: {data['reason']}")

    def _value(self, symbol: str, value: Shown, data: Mapping[str, Any]) -> None:
        before = self.shown.get(symbol)
        self.shown[symbol] = value
        if (
            before is not None
            and value.at < before.at
            and not self._ledger.retracted(symbol, before.at)
        ):
            back = (before.at - value.at) / rfc3339.SECOND
            self._wrong(f"{symbol} went back {back:.3f} s: {dict(data)} after {before}")
        is_bar = data["exchange"] is None and value.at % _MINUTE == 0
        if not is_bar and not self._ledger.printed(symbol, value.at, value.price):
            self._wrong(f"{symbol} shows a price that was no last price at any time: {dict(data)}")

    def _wrong(self, what: str) -> None:
        self._complain(f"{self._name}, stream {self.streams}: {what}")
