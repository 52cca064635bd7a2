"""The prices of all assets that an account may hold, from the market of each class. Pure."""

from dataclasses import dataclass
from typing import Protocol

from simulator.protocol.subscription import is_pair
from simulator.protocol.wire import Message


class Prices(Protocol):
    """The prices by symbol; a pair is written BTC/USD."""

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade in dollars, None before the first."""

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if there is no bar of a day before."""


@dataclass(frozen=True)
class Markets:
    """The market of stocks and options, and that of pairs, as one."""

    stocks: Prices
    pairs: Prices

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""
        return self._of(symbol).knows(symbol)

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""
        return self._of(symbol).quote(symbol)

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade in dollars, None before the first."""
        return self._of(symbol).price(symbol)

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if there is no bar of a day before."""
        return self._of(symbol).previous_close(symbol, now)

    def _of(self, symbol: str) -> Prices:
        return self.pairs if is_pair(symbol) else self.stocks
