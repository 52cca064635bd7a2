"""The channels that need no slot of the plan, and what Alpaca's rejections teach about them."""

import math
from collections.abc import Callable, Collection, Sequence, Set

from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS, LearntLimits


class FreeSlots:
    """Bars need no slot on any known plan, and Alpaca promises that nowhere.

    If it rejects a request for bars as too many, the channel gets a limit of its own: prices do not
    suffer. If it rejects one for trades, the plan may count the symbols that only have bars. For
    ``LIMIT_RETRY_SECONDS`` they get no more slots than the others leave. ``monotonic`` gives
    seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._counts_until = monotonic()
        self._limits = LearntLimits(monotonic)
        self._monotonic = monotonic

    @property
    def counts(self) -> bool:
        """Whether the plan may count the symbols of these channels."""
        return self._monotonic() < self._counts_until

    def learn(self, channel: str, limit: int) -> None:
        """Accept that a channel has no room for more than ``limit`` symbols."""
        self._limits.learn(channel, limit)

    def suspect(self, symbols: Set[str]) -> bool:
        """Accept the rejection of a request for slots; return whether to try it again.

        ``symbols``: those that are subscribed and have no slot.
        """
        if self.counts or not symbols:
            return False
        self._counts_until = self._monotonic() + LIMIT_RETRY_SECONDS
        return True

    def on_acknowledged(self, channel: str, count: int) -> None:
        """Accept the number of symbols that a channel has: beyond its limit, the plan has grown."""
        self._limits.on_acknowledged(channel, count)

    def next_retry_at(self, now: float) -> float:
        """Return when other symbols fit for the first time after ``now`` (monotonic)."""
        until = self._counts_until if self._counts_until > now else math.inf
        return min(until, self._limits.next_retry_at(now))

    def fitting(
        self,
        channel: str,
        symbols: Sequence[str],
        there: Collection[str],
        holders: Set[str],
        limit: int | None,
    ) -> list[str]:
        """Return the symbols of a channel for which there is room.

        ``there``: those that it has. ``holders``: the symbols that have a slot of the ``limit``.
        """
        fitting = list(symbols)
        if self.counts:
            # Prices come first: if the limit is unknown, any other symbol may be in their way.
            room = 0 if limit is None else max(limit - len(holders), 0)
            fitting = _with_room(fitting, holders, room)
        if (most := self._limits.of(channel)) is not None:
            # Stable, so that no symbol changes places with another for nothing.
            fitting = sorted(fitting, key=lambda symbol: symbol not in there)[:most]
        return fitting


def _with_room(symbols: Sequence[str], holders: Set[str], room: int) -> list[str]:
    """Return the holders among the symbols, and the first ``room`` others."""
    found = []
    for symbol in symbols:
        if symbol not in holders:
            if room <= 0:
                continue
            room -= 1
        found.append(symbol)
    return found
