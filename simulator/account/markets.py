"""The prices of all assets that an account may hold, from the market of each class. Pure."""

from dataclasses import dataclass
from typing import Protocol

from simulator.protocol.option_feeds import is_option_symbol
from simulator.protocol.subscription import is_pair
from simulator.protocol.wire import Message


class Prices(Protocol):
    """The prices by symbol, as market data writes it: a pair is BTC/USD."""

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""

    def price(self, symbol: str) -> float | None:
        """Return the current price in dollars, None before the first."""

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if it is unknown; `now` in nanoseconds."""


@dataclass(frozen=True)
class Markets:
    """The markets of stocks, pairs and options as one."""

    stocks: Prices
    pairs: Prices
    options: Prices

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
        if is_pair(symbol):
            return self.pairs
        return self.options if is_option_symbol(symbol) else self.stocks
