"""One pair's order book by price: both sides whole, as the vendor's messages leave them. Pure.

Prices are keys exactly as they were decoded, sizes are absolute: nothing is added up.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

from shared.book import Level

MOST_LEVELS = 2_000
"""The levels that a side keeps. Of 16 recorded books the largest side has 478."""


class LevelChange(Protocol):
    """A level as a message of the stream has it. It is not kept, so it is not copied first."""

    @property
    def price(self) -> float:
        """The price, above zero and finite."""

    @property
    def size(self) -> float:
        """The whole size at this price, finite; 0: the level is gone."""


class BookMessage(Protocol):
    """A message about a book: the changed levels in the order in which they apply.

    ``reset``: it has the whole book instead.
    """

    @property
    def symbol(self) -> str:
        """The pair."""

    @property
    def bids(self) -> Sequence[LevelChange] | None:
        """The levels of the bids; None: there are none."""

    @property
    def asks(self) -> Sequence[LevelChange] | None:
        """The levels of the asks; None: there are none."""

    @property
    def reset(self) -> bool:
        """Whether these levels replace all others."""


class BookSide:
    """The bids or the asks: sizes by price, and the prices in order.

    The keys are sorted, the best last: most changes are near the best price, so that few keys move,
    and the best ten are read off (``bench ingest --kinds``). ``is_ask``: the lowest price is the
    best one. ``most_levels``: see ``OrderBook``.
    """

    __slots__ = ("_cut_key", "_keys", "_most_levels", "_sign", "_sizes", "best", "is_cut")

    def __init__(self, *, is_ask: bool, most_levels: int) -> None:
        self._sign = -1 if is_ask else 1
        self._most_levels = most_levels
        self.clear()

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Forget all levels."""
        self._sizes: dict[float, float] = {}
        self._keys: list[float] = []
        self.best: float | None = None
        """The best price; None if there is no level."""
        self.is_cut = False
        """Whether there was no room for some levels."""
        self._cut_key = -math.inf
        """The key of the best one of these; it and worse ones are unknown."""

    def change(self, levels: Sequence[LevelChange]) -> None:
        """Apply the levels of one message."""
        if len(levels) < len(self._keys):
            self._change_each(levels)
        else:
            self._change_all(levels)
        keys = self._keys
        if len(keys) > self._most_levels:
            self._cut()
        self.best = self._sign * keys[-1] if keys else None

    def top(self, count: int) -> list[Level]:
        """Return the ``count`` best levels, the best first."""
        sign, sizes = self._sign, self._sizes
        prices = [sign * key for key in self._keys[: -count - 1 : -1]]
        return [(price, sizes[price]) for price in prices]

    def _change_each(self, levels: Sequence[LevelChange]) -> None:
        sizes, keys, sign, cut_key = self._sizes, self._keys, self._sign, self._cut_key
        for level in levels:
            price, size = level.price, level.size
            if price in sizes:
                if size:
                    sizes[price] = size
                else:
                    del sizes[price]
                    del keys[bisect_left(keys, sign * price)]
            # The removal of an unknown level is no error: 34 of 937 removals in a recording of
            # Gemini's are such, and so is one of a level for which there was no room.
            elif size and (key := sign * price) > cut_key:
                sizes[price] = size
                insort(keys, key)

    def _change_all(self, levels: Sequence[LevelChange]) -> None:
        """Apply many levels, such as those of a whole book, and sort once."""
        sizes, sign, cut_key = self._sizes, self._sign, self._cut_key
        for level in levels:
            if not level.size:
                sizes.pop(level.price, None)
            elif sign * level.price > cut_key:
                sizes[level.price] = level.size
        self._keys = sorted([sign * price for price in sizes])

    def _cut(self) -> None:
        """Forget the worst levels for which there is no room."""
        sizes, keys, sign = self._sizes, self._keys, self._sign
        excess = len(keys) - self._most_levels
        if excess < self._most_levels:
            for key in keys[:excess]:
                del sizes[sign * key]
        else:
            # A table keeps the places of what was removed: those of a huge book are megabytes.
            self._sizes = {price: sizes[price] for price in [sign * key for key in keys[excess:]]}
        self._cut_key, self.is_cut = keys[excess - 1], True
        del keys[:excess]


class OrderBook:
    """Both sides of one pair's book.

    **Order.** There are no sequence numbers and no checksum. Messages apply in their order of
    arrival, which on one connection is the order of sending; their times decide nothing. Sizes are
    absolute, so a message that is repeated at once changes nothing. One that is older than the
    whole book, or late, applies too. If the vendor sends again what the whole book contains
    already, the newest of it comes last, and the book is right after it. A dropped change, however,
    would stay missing until its level changes again, and a time proves nothing: several messages
    have the same, and clocks step back. If the sides cross meanwhile, the book is not valid
    anyway.

    **Memory.** A side keeps its ``most_levels`` best levels after each message. Those beyond, and
    whatever comes at their prices or worse, are unknown until the next whole book. The others are
    right, so the top of a side is right as long as it has as many levels. When it has not,
    ``is_short_of`` is true, and the whole book is needed again.
    """

    __slots__ = ("asks", "bids")

    def __init__(self, most_levels: int = MOST_LEVELS) -> None:
        self.bids = BookSide(is_ask=False, most_levels=most_levels)
        self.asks = BookSide(is_ask=True, most_levels=most_levels)

    def clear(self) -> None:
        """Forget all levels."""
        self.bids.clear()
        self.asks.clear()

    def apply(self, message: BookMessage) -> None:
        """Apply a message."""
        if message.reset:
            self.clear()
        if message.bids:
            self.bids.change(message.bids)
        if message.asks:
            self.asks.change(message.asks)

    @property
    def is_crossed(self) -> bool:
        """Whether its best bid is not below its best ask; no exchange has such a book for long.

        Within a message the sides may cross, so this is asked after a whole one.
        """
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask

    def is_short_of(self, count: int) -> bool:
        """Return whether a side has fewer levels than ``count``, and the vendor may have more."""
        bids, asks = self.bids, self.asks
        return (bids.is_cut and len(bids) < count) or (asks.is_cut and len(asks) < count)
