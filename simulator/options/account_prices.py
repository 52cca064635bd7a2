"""The prices of an account that also holds options. Pure."""

from dataclasses import dataclass

from simulator.account.prices import Prices
from simulator.protocol.option_feeds import is_option_symbol
from simulator.protocol.wire import Message


@dataclass(frozen=True)
class PricesWithOptions:
    """The prices of contracts from one market, and all others from another."""

    options: Prices
    others: Prices

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""
        return self._of(symbol).knows(symbol)

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""
        return self._of(symbol).quote(symbol)

    def price(self, symbol: str) -> float | None:
        """Return the current price in dollars, None before the first."""
        return self._of(symbol).price(symbol)

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if it is unknown; `now` in nanoseconds."""
        return self._of(symbol).previous_close(symbol, now)

    def _of(self, symbol: str) -> Prices:
        return self.options if is_option_symbol(symbol) else self.others
