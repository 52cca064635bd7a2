"""Which symbols are wanted: what the gateways watch, and for a while what they no longer do."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from shared.topics import PRICE, InvalidSymbolError, key_of, kind_of, stock_symbol

LINGER_SECONDS = 30.0
"""How long a symbol stays subscribed after its last watcher: pages are reloaded."""


class Demand:
    """The wanted symbols by number of watching gateways. ``monotonic`` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._changed = asyncio.Event()
        self._monotonic = monotonic
        self._watchers: Counter[str] = Counter()
        self._left_at: dict[str, float] = {}

    def update(self, topics: Iterable[str]) -> None:
        """Take the topics that are watched now, once for each gateway that does."""
        watchers = Counter(symbol for symbol in map(_symbol_of, topics) if symbol is not None)
        now = self._monotonic()
        for symbol in self._watchers:
            if symbol not in watchers:
                self._left_at[symbol] = now
        for symbol in watchers:
            self._left_at.pop(symbol, None)
        if watchers != self._watchers:
            self._watchers = watchers
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def wait_for_change(self, seconds: float) -> None:
        """Wait until the demand changes, at most for so long; any number of tasks may."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def wanted(self) -> list[str]:
        """Return the wanted symbols, the most watched first, the lingering ones last."""
        limit = self._monotonic() - LINGER_SECONDS
        self._left_at = {s: left for s, left in self._left_at.items() if left > limit}
        watched = sorted(self._watchers, key=lambda symbol: (-self._watchers[symbol], symbol))
        return [*watched, *sorted(self._left_at)]


def _symbol_of(topic: str) -> str | None:
    if kind_of(topic) != PRICE:
        return None
    try:
        return stock_symbol(key_of(topic))
    except InvalidSymbolError:
        return None
