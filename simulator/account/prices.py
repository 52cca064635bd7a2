"""The source of the broker's prices. Pure."""

from typing import Protocol

from simulator.protocol.wire import Message


class Prices(Protocol):
    """A market, by symbols as market data writes them (`BTC/USD`)."""

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""

    def price(self, symbol: str) -> float | None:
        """Return the current price in dollars, None before the first."""

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if it is unknown; `now` in nanoseconds."""
