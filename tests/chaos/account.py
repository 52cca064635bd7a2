"""The account and the positions of a client against the books. Pure, but for the clock."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.chaos.books import PRICES_NS, Books
from tests.chaos.follower import NEVER, Complain, Follower, NewestIds, order_of
from tests.chaos.holdings import cents
from tests.chaos.ledger import Ledger
from tests.chaos.markets import is_option_symbol, multiplier

CENT = Decimal("0.01")

ODD_SYMBOL = "FILLER"
"""The symbol of the account's odd frames, which it never held."""


class Account(Follower):
    """Follows the account of one client; ``shown`` holds its newest event."""

    def __init__(
        self,
        name: str,
        books: Books,
        last_equity: Decimal,
        clock: Callable[[], int],
        complain: Complain,
    ) -> None:
        """``clock`` returns unix nanoseconds; ``last_equity`` is that of the previous close."""
        super().__init__(name, complain)
        self.shown: Mapping[str, Any] | None = None
        self.claims = 0
        """The number of events that claimed to be right: live, and not partial."""
        self._books = books
        self._last_equity = last_equity
        self._clock = clock
        self._ids = NewestIds()
        self._lost_at: int | None = None
        """When the feed was lost, until a minute after its return."""
        self._back_at: int | None = None

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._ids.opened()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check an event of the account: what claims to be right has to be a state it had."""
        if kind == "feed":
            self._note_feed(is_connected=data["alpaca_connected"])
        if kind != "account":
            return
        is_unknown = data["state"] == "unknown" and order_of(data["event_id"]) == NEVER
        if is_unknown and not self._ids.here:
            return  # a gateway says why it knows nothing
        if problem := self._ids.problem("account", data["event_id"]):
            self.wrong(problem)
        self.shown = data
        if data["state"] != "live" or data["partial"]:
            return
        # An odd frame was a fill that Alpaca could send: it counts until the next report.
        if ODD_SYMBOL in data["positions"]:
            return
        self.claims += 1
        if not self._books.matches(data, self._prices_since()):
            self.wrong(f"the account never was so: {dict(data)}, but {self._books.near(data)}")
        if cents(data["last_equity"]) != cents(self._last_equity):
            self.wrong(f"last_equity is {data['last_equity']}, expected {self._last_equity}")
        gain = cents(data["equity"]) - self._last_equity
        if abs(cents(data["day_pl"]) - gain) > CENT:
            self.wrong(f"day_pl is {data['day_pl']}, expected {gain}")

    def _note_feed(self, *, is_connected: bool) -> None:
        if not is_connected:
            self._lost_at, self._back_at = self._lost_at or self._clock(), None
        elif self._back_at is None:
            self._back_at = self._clock()

    def _prices_since(self) -> int:
        """Return the time since which the prices are that the account may be valued at."""
        now = self._clock()
        if self._back_at is not None and now > self._back_at + PRICES_NS:
            self._lost_at = self._back_at = None
        # While no prices arrive, the account keeps the values of the last ones, as ``feed`` says.
        return (self._lost_at or now) - PRICES_NS

    def differences(self) -> list[str]:
        """Return the figures that differ from the books; values at prices of the last minute."""
        now, shown = self._books.now, self.shown
        if shown is None or shown["cash"] is None:
            return [f"{self._name}: no account is known"]
        if (cents(shown["cash"]), shown["positions"]) != (cents(now.cash), sorted(now.owned)):
            return [f"{self._name}: the account is {shown}, expected {now}"]
        if not self._books.matches(shown, self._clock() - PRICES_NS):
            return [f"{self._name}: the account's values are {shown}, expected those of {now}"]
        return []


class Positions(Follower):
    """Follows all positions of one client; ``shown`` holds the newest row of each."""

    def __init__(self, name: str, books: Books, ledger: Ledger, complain: Complain) -> None:
        super().__init__(name, complain)
        self.shown: dict[str, Mapping[str, Any]] = {}
        self._books = books
        self._ledger = ledger
        self._ids = NewestIds(copied=True)

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._ids.opened()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a row; at ``ready`` the table is whole, and the other positions are closed."""
        if kind == "ready":
            self.shown = {s: row for s, row in self.shown.items() if s in self._ids.here}
        if kind != "position":
            return
        symbol = str(data["symbol"])
        if problem := self._ids.problem(symbol, data["event_id"]):
            self.wrong(f"the position of {problem}")
        # Some odd frames are fills that Alpaca could send. The position has to be gone in the end.
        if symbol == ODD_SYMBOL:
            self.shown[symbol] = data
            if data["removed"]:
                del self.shown[symbol]
            return
        if data["removed"]:
            self.shown.pop(symbol, None)
            if not self._books.has_been_closed(symbol):
                self.wrong(f"{symbol} is removed, and was never closed")
            return
        self.shown[symbol] = data
        self._row(symbol, data)

    def _row(self, symbol: str, data: Mapping[str, Any]) -> None:
        found = self._books.owned(symbol, Decimal(str(data["qty"])))
        if not found:
            self.wrong(f"the position never was so: {dict(data)}")
            return
        cost = cents(data["cost_basis"])
        if all(abs(cost - each.cost) > CENT for each in found):
            self.wrong(f"the cost of {symbol} is {cost}, expected one of {found}")
        if data["current_price"] is not None:
            self._value(symbol, data)

    def _value(self, symbol: str, data: Mapping[str, Any]) -> None:
        price = Decimal(str(data["current_price"]))
        value = Decimal(str(data["qty"])) * price * multiplier(symbol)
        if abs(cents(data["market_value"]) - value) > CENT:
            self.wrong(f"market_value is not quantity times price: {dict(data)}")
        gain = value - Decimal(str(data["cost_basis"]))
        if abs(cents(data["unrealized_pl"]) - gain) > 2 * CENT:
            self.wrong(f"unrealized_pl is not value less cost: {dict(data)}")
        if is_option_symbol(symbol):
            # Its trades are fifteen minutes late: the broker's price counts, also that of a quote.
            if data["price_source"] != "broker" or not self._books.had_price(
                symbol, data["current_price"]
            ):
                self.wrong(f"{symbol} has a price that the broker never had: {dict(data)}")
        elif not self._ledger.traded_at(symbol, data["current_price"]):
            self.wrong(f"{symbol} has a price at which nothing was traded: {dict(data)}")

    def differences(self, *, prices: bool) -> list[str]:
        """Return the rows that are not as the positions are now; ``prices``: also their price."""
        right = {s: each.qty for s, each in self._books.now.owned.items()}
        shown = {s: Decimal(str(row["qty"])) for s, row in self.shown.items()}
        found = [] if shown == right else [f"{self._name}: owns {shown}, expected {right}"]
        if not prices:
            return found
        for symbol, row in self.shown.items():
            expected = self._price(symbol)
            if expected is not None and row["current_price"] != expected:
                found.append(f"{self._name}: {dict(row)}, expected the price {expected}")
        return found

    def _price(self, symbol: str) -> float | None:
        """Return the price that the tape, or of a contract the broker, has now."""
        if is_option_symbol(symbol):
            price = self._books.newest_price(symbol)
            return None if price is None else float(price)
        last = self._ledger.last(symbol)
        return None if last is None else last.price
