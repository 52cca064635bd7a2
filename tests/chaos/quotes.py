"""The quotes of a client against the ledger: the newest by arrival. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from simulator.faults.odd_frames import ODD_NS
from simulator.protocol import rfc3339
from tests.chaos.follower import Complain, Follower, NewestIds
from tests.chaos.ledger import Ledger, Quote
from tests.chaos.markets import is_option_symbol


class Quotes(Follower):
    """Follows the quotes of one client; ``shown`` holds the newest ones."""

    def __init__(
        self, name: str, symbols: Collection[str], ledger: Ledger, complain: Complain
    ) -> None:
        super().__init__(name, complain)
        self.shown: dict[str, Quote] = {}
        self._symbols = frozenset(symbols)
        self._ledger = ledger
        self._ids = NewestIds()

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._ids.opened()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a quote."""
        if kind != "quote":
            return
        symbol = str(data["symbol"])
        if problem := self._ids.problem(symbol, data["event_id"]):
            self.wrong(f"quote {problem}")
        quote = Quote(
            rfc3339.parse(data["timestamp"]),
            data["bid"],
            data["bid_size"],
            data["ask"],
            data["ask_size"],
        )
        # That of an odd frame, which the ledger does not know.
        if quote.at == ODD_NS:
            return
        arrival = self._ledger.arrival(symbol, quote)
        if symbol not in self._symbols or arrival is None:
            self.wrong(f"a quote that was never published: {dict(data)}")
            return
        if data.get("indicative", False) != is_option_symbol(symbol):
            self.wrong(f"indicative is wrong: {dict(data)}")
        before = self.shown.get(symbol)
        self.shown[symbol] = quote
        # By arrival it is older. REST has its own idea of the newest: the latest exchange time.
        if (
            before is not None
            and arrival < (self._ledger.arrival(symbol, before) or 0)
            and quote.at < before.at
        ):
            self.wrong(f"the quote of {symbol} went back: {dict(data)} after {before}")

    def differences(self, symbols: Collection[str]) -> list[str]:
        """Return the symbols whose shown quote is not the newest one."""
        return [
            f"{self._name}: the quote of {symbol} is {shown}, expected {quotes[-1]}"
            for symbol in self._symbols.intersection(symbols)
            if (quotes := self._ledger.quotes.get(symbol))
            and (shown := self.shown.get(symbol)) != quotes[-1]
        ]
