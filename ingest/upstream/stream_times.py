"""The times of a connection: that of its newest data, and since when it brings each symbol."""

from collections.abc import Set


class StreamTimes:
    """All times are unix seconds; ``now`` is the present one."""

    def __init__(self, now: float) -> None:
        self.newest_data = now
        """When the connection brought something last; at its start, the start."""
        self.acknowledged: dict[str, float] = {}
        """Since when the connection brings each symbol."""

    def begin(self, now: float) -> None:
        """Start a connection, which brings no symbol yet."""
        self.acknowledged = {}
        self.newest_data = now

    def end(self) -> None:
        """Note that the connection brings nothing any more."""
        self.acknowledged = {}

    def on_acknowledged(self, symbols: Set[str], now: float) -> None:
        """Accept all the symbols that the connection brings now."""
        before = self.acknowledged
        self.acknowledged = {symbol: before.get(symbol, now) for symbol in symbols}
