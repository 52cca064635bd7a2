"""What a client may never see among the prices. Pure: events in, complaints out."""

from collections.abc import Collection, Mapping
from typing import Any

from simulator.protocol import rfc3339
from tests.chaos.follower import NEVER, Complain, Follower, NewestIds, order_of
from tests.chaos.ledger import Last, Ledger
from tests.chaos.markets import is_option_symbol, is_other


class Prices(Follower):
    """Follows the prices of one client; ``shown`` holds the newest ones.

    ``closes`` are the possible previous closes of each symbol, in dollars; absent means any.
    """

    def __init__(
        self,
        name: str,
        symbols: Collection[str],
        ledger: Ledger,
        closes: Mapping[str, Collection[float]],
        complain: Complain,
    ) -> None:
        super().__init__(name, complain)
        self.shown: dict[str, Last] = {}
        self._symbols = frozenset(symbols)
        self._ledger = ledger
        self._closes = closes
        self._ids = NewestIds()
        self._reasons: dict[str, str] = {}
        """The gateway's reason for each symbol of which the open stream has brought no more."""

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._ids.opened()
        self._reasons.clear()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a price, and that there is one of each symbol at the start of a stream."""
        if kind == "price":
            self._price(data)
        elif kind == "ready" and (missing := self._symbols - self._ids.here - self._reasons.keys()):
            self.wrong(f"ready without a price event for {', '.join(sorted(missing))}")

    def differences(self) -> dict[str, tuple[Last | None, Last | None]]:
        """Return the symbols whose shown price is not the right one, each with both."""
        found = {
            symbol: (self.shown.get(symbol), self._ledger.last(symbol)) for symbol in self._symbols
        }
        return {symbol: both for symbol, both in found.items() if both[0] != both[1]}

    def _price(self, data: Mapping[str, Any]) -> None:
        symbol = str(data["symbol"])
        if symbol not in self._symbols:
            self.wrong(f"a price of {symbol}, which it did not ask for")
        is_unknown = data["price"] is None and order_of(data["event_id"]) == NEVER
        if is_unknown and symbol not in self._ids.here:
            # A gateway says why it has none: it knows less, and shows nothing older. Once it has
            # read the value in Redis, that may be the one that the stream before has brought.
            if self._reasons.get(symbol) == data["reason"]:
                self.wrong(f"{symbol} has no price twice: {data['reason']}")
            self._reasons[symbol] = data["reason"]
            return
        if problem := self._ids.problem(symbol, data["event_id"]):
            self.wrong(problem)
        if data["price"] is not None:
            self._value(symbol, Last(rfc3339.parse(data["timestamp"]), data["price"]), data)
        elif (last := self.shown.get(symbol)) and not self._may_go(symbol, last):
            self.wrong(f"{symbol} has lost its price: {data['reason']}")

    def _may_go(self, symbol: str, shown: Last) -> bool:
        """Return whether an older price, or none, may follow."""
        return self._ledger.retracted(symbol, shown.at) or shown.at < self._ledger.forgotten

    def _value(self, symbol: str, value: Last, data: Mapping[str, Any]) -> None:
        before = self.shown.get(symbol)
        self.shown[symbol] = value
        if before is not None and value.at < before.at and not self._may_go(symbol, before):
            back = (before.at - value.at) / rfc3339.SECOND
            self.wrong(f"{symbol} went back {back:.3f} s: {dict(data)} after {before}")
        # The close of a minute bar has no exchange, and the minute's time. Only stocks have it.
        is_bar = (
            data["exchange"] is None
            and not is_other(symbol)
            and self._ledger.traded_at(symbol, value.price)
        )
        if not is_bar and not self._ledger.printed(symbol, value.at, value.price):
            self.wrong(f"{symbol} shows a price that was no last price at any time: {dict(data)}")
        if data.get("delayed", False) != is_option_symbol(symbol):
            self.wrong(f"delayed is wrong: {dict(data)}")
        close, right = data.get("previous_close"), self._closes.get(symbol)
        if close is not None and close not in (right or {close}):
            self.wrong(f"{symbol} has the previous close {close}, expected one of {right}")
