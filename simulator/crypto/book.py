"""The order book of one pair: the size at each price, as the messages change it. Pure.

A message replaces the whole book if it has `r`; otherwise its levels replace those of the same
price, and a size of 0 removes one. Source: docs.alpaca.markets/docs/real-time-crypto-pricing-data.
"""

from collections.abc import Mapping
from math import inf
from typing import Final, Literal, NamedTuple, TypeAlias

from simulator.protocol.wire import Message

Side: TypeAlias = Literal["b", "a"]
SIDES: Final[tuple[Side, Side]] = ("b", "a")
"""The bids and the asks, by their keys."""

Levels: TypeAlias = Mapping[float, float]
"""Sizes by price."""


class Best(NamedTuple):
    """The best bid and offer; price and size are 0 on a side that has no level."""

    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Book:
    """The levels of both sides."""

    def __init__(self) -> None:
        self.time = 0
        """The time of the newest message, in Unix nanoseconds."""
        self._levels: dict[Side, dict[float, float]] = {side: {} for side in SIDES}
        self._removed: dict[Side, set[float]] = {side: set() for side in SIDES}

    def apply(self, message: Message, time: int) -> bool:
        """Apply a message of any content; an invalid one changes nothing. Return if it is valid.

        Removing a level that the book does not hold is valid: recorded books do it.
        """
        changes = {side: _levels(message.get(side)) for side in SIDES}
        if any(levels is None for levels in changes.values()):
            return False
        self.time = time
        for side in SIDES:
            self._change(side, changes[side] or {}, is_whole=message.get("r") is True)
        return True

    @property
    def best(self) -> Best:
        """The best bid and offer."""
        bids, asks = self._levels["b"], self._levels["a"]
        bid, ask = max(bids, default=0.0), min(asks, default=0.0)
        return Best(bid, bids.get(bid, 0.0), ask, asks.get(ask, 0.0))

    def depth(self, side: Side) -> int:
        """Return the number of levels of a side."""
        return len(self._levels[side])

    def message(self, symbol: str) -> Message:
        """Return the whole book as a message of the stream, best levels first."""
        bids, asks = (_shown(side, self._levels[side]) for side in SIDES)
        return {"T": "o", "S": symbol, "t": self.time, "b": bids, "a": asks, "r": True}

    def latest(self) -> dict[str, object]:
        """Return the whole book as REST shows it, best levels first.

        Alpaca's example has levels of size 0. Here they are those that the newest message removed.
        """
        bids, asks = (
            _shown(side, dict.fromkeys(self._removed[side], 0.0) | self._levels[side])
            for side in SIDES
        )
        return {"t": self.time, "b": bids, "a": asks}

    def _change(self, side: Side, changes: Levels, *, is_whole: bool) -> None:
        held = self._levels[side]
        gone = {price for price, size in changes.items() if not size}
        self._removed[side] = set() if is_whole else gone & held.keys()
        if is_whole:
            held.clear()
        held.update(changes)
        for price in gone:
            del held[price]


def _levels(listed: object) -> Levels | None:
    """Read a list of levels; None if any part of it is invalid."""
    if not isinstance(listed, list):
        return None
    levels: dict[float, float] = {}
    for level in listed:
        if not isinstance(level, dict):
            return None
        price, size = amount(level.get("p")), amount(level.get("s"))
        if not price or size is None:
            return None
        levels[price] = size
    return levels


def amount(value: object) -> float | None:
    """Return a price or a size, None if it is no number from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < inf else None


def middle(bid: float, ask: float) -> float | None:
    """Return the mid-point of a bid and an ask, None if a side is missing."""
    return round((bid + ask) / 2, 12) if bid and ask else None


def _shown(side: Side, levels: Levels) -> list[dict[str, float]]:
    return [{"p": price, "s": levels[price]} for price in sorted(levels, reverse=side == "b")]
