"""The quotes of a client against the ledger: the newest by arrival. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from simulator.faults.odd_frames import ODD_NS
from simulator.protocol import rfc3339
from tests.chaos.follower import Complain, Follower, NewestIds
from tests.chaos.ledger import Ledger, Quote


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
        published = self._ledger.quotes.get(symbol, [])
        if symbol not in self._symbols or quote not in published:
            self.wrong(f"a quote that was never published: {dict(data)}")
            return
        before = self.shown.get(symbol)
        self.shown[symbol] = quote
        # By arrival it is older. REST has its own idea of the newest: the latest exchange time.
        if (
            before is not None
            and _arrival(published, quote) < _arrival(published, before)
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


def _arrival(published: list[Quote], quote: Quote) -> int:
    """Return the number of a quote; searched from the end, since it is a recent one."""
    return len(published) - 1 - published[::-1].index(quote)
