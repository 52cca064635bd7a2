"""Symbols that a living stream withholds, although it has acknowledged them. Pure.

Subscriptions get lost on Alpaca's side, one symbol at a time, with no error and no close
(forum.alpaca.markets, thread 17587; alpaca-trade-api-csharp, issues 724 and 763).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class _Terms:
    until: float | None
    is_lasting: bool


class Withheld:
    """The withheld symbols of one stream."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds."""
        self._monotonic = monotonic
        self._terms: dict[object, _Terms] = {}

    def add(self, symbol: str, seconds: float | None, *, is_lasting: bool) -> None:
        """Withhold a symbol for `seconds`, or until `clear`.

        Args:
            symbol: The symbol whose messages are not sent.
            seconds: How long; None means no limit.
            is_lasting: Whether a new subscribe to the symbol does not end it.
        """
        until = None if seconds is None else self._monotonic() + seconds
        self._terms[symbol] = _Terms(until, is_lasting)

    def __contains__(self, symbol: object) -> bool:
        """Return whether a symbol's messages are not sent."""
        if not self._terms or not isinstance(symbol, str):  # news has lists of symbols
            return False
        terms = self._terms.get(symbol)
        return terms is not None and (terms.until is None or terms.until > self._monotonic())

    def on_subscribed(self, symbols: Iterable[str]) -> None:
        """Send the symbols again to which a client has just subscribed."""
        for symbol in symbols:
            terms = self._terms.get(symbol)
            if terms is not None and not terms.is_lasting:
                del self._terms[symbol]

    def clear(self) -> None:
        """Send all symbols again."""
        self._terms.clear()

    def symbols(self) -> list[str]:
        """Return the withheld symbols, sorted."""
        return sorted(str(symbol) for symbol in self._terms if symbol in self)
