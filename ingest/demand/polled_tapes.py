"""Watched tapes with no slot in the stream: since when REST has to bring their prints. Pure."""

from collections.abc import Iterable, Mapping

SLOT_SECONDS = 5.0
"""How long before it is first seen here a symbol may have lost its slot."""

LATE_SECONDS = 10.0
"""REST may know a print this late: it is asked again about so long before its last answer."""


class PolledTapes:
    """The symbols, each with the time (unix s) since which prints may be missing."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    @property
    def missing_since(self) -> Mapping[str, float]:
        """Since when (unix s) prints of each symbol may be missing."""
        return self._since

    def follow(self, symbols: Iterable[str], now: float) -> None:
        """Accept all the symbols whose tapes only REST brings; ``now`` is in unix seconds."""
        before = self._since
        self._since = {symbol: before.get(symbol, now - SLOT_SECONDS) for symbol in symbols}
        self._ended |= {s: since for s, since in before.items() if s not in self._since}

    def on_fetched(self, symbols: Iterable[str], asked_at: float) -> None:
        """Note that REST was asked (unix s) and has brought the prints, or their loss is known."""
        for symbol in symbols:
            if symbol in self._since:
                self._since[symbol] = max(self._since[symbol], asked_at - LATE_SECONDS)

    def take_ended(self) -> dict[str, float]:
        """Return, once, the symbols that have a slot again or left, each with its ``since``."""
        ended, self._ended = self._ended, {}
        return ended
