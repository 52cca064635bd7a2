"""Judges by two signs whether the account's stream has gone mute. Pure.

A quantity that no execution explains is one sign, and not enough: fees in coins, expiries,
assignments, splits and transfers change quantities without a trade update. The second is an order
that REST shows as filled and that the stream has not brought. Alpaca allows one connection, and
may count a closed one for minutes (alpacahq/alpaca-py#740): a cut without need costs all of them.
"""

from collections.abc import Callable
from typing import NamedTuple

EXPLANATION_SECONDS = 5.0
"""After a report with another quantity, the stream has this time to bring the execution."""

FILL_SECONDS = 60.0
"""An order that REST showed as filled longer ago belongs to another change."""

SYMBOLS_AT_MOST = 1_000

_NEVER = float("-inf")


class _Unexplained(NamedTuple):
    """A changed quantity: when it was first reported, and the report before it requested."""

    seen_at: float
    before: float


class StreamWitness:
    """Compares reports, REST's orders and the stream's messages; ``monotonic`` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_unnamed_at = _NEVER
        self._last_message_of: dict[str, float] = {}
        self._unexplained: dict[str, _Unexplained] = {}
        self._unstreamed_fills: dict[str, float] = {}

    def on_message(self, symbol: str | None) -> None:
        """Note a message of the stream, about a symbol, or about none that can be read."""
        now = self._monotonic()
        # A message after the change proves that the stream delivers: a cut would bring nothing.
        self._unexplained.clear()
        self._unstreamed_fills.clear()
        # An order of several legs has no symbol of its own: its subject may be any symbol.
        if not symbol:
            self._last_unnamed_at = now
            return
        self._last_message_of.pop(symbol, None)
        self._last_message_of[symbol] = now
        # Only the newest matter, and a text from outside must not fill the memory.
        if len(self._last_message_of) > SYMBOLS_AT_MOST:
            del self._last_message_of[next(iter(self._last_message_of))]

    def on_connected(self) -> None:
        """Forget the past: a new connection is not judged by the silence of the old one."""
        self._unexplained.clear()
        self._unstreamed_fills.clear()

    def on_unexplained(self, symbol: str, before: float) -> None:
        """Note a quantity that no execution explains; ``before``: the last report without it."""
        self._unexplained.setdefault(symbol, _Unexplained(self._monotonic(), before))

    def on_unstreamed_fill(self, symbol: str) -> None:
        """Note that REST shows an order as filled that the stream has not brought."""
        self._unstreamed_fills[symbol] = self._monotonic()

    @property
    def seconds_to_orders(self) -> float | None:
        """The seconds until REST's orders should be read for the second sign; None: no need."""
        waiting = [
            each.seen_at
            for symbol, each in self._unexplained.items()
            if not self._has_unstreamed_fill(symbol)
        ]
        if not waiting:
            return None
        return max(0.0, min(waiting) + EXPLANATION_SECONDS - self._monotonic())

    def end_waiting(self) -> None:
        """Forget the changes that REST's orders, read after the waiting time, do not explain."""
        now = self._monotonic()
        self._unexplained = {
            symbol: each
            for symbol, each in self._unexplained.items()
            if now - each.seen_at <= EXPLANATION_SECONDS or self._has_unstreamed_fill(symbol)
        }

    def take_lacking(self) -> str | None:
        """Return, once, a symbol of which the stream has not brought an execution."""
        now = self._monotonic()
        for symbol, each in self._unexplained.items():
            waited = now - each.seen_at > EXPLANATION_SECONDS
            if waited and self._has_unstreamed_fill(symbol) and self._is_silent(symbol):
                # One silence ends one connection, however many symbols it hides.
                self.on_connected()
                return symbol
        return None

    def _has_unstreamed_fill(self, symbol: str) -> bool:
        at = self._unstreamed_fills.get(symbol)
        return at is not None and self._monotonic() - at < FILL_SECONDS

    def _is_silent(self, symbol: str) -> bool:
        """Return whether nothing about a symbol has come since the report before its change."""
        last = max(self._last_message_of.get(symbol, _NEVER), self._last_unnamed_at)
        return last < self._unexplained[symbol].before
