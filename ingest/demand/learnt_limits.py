"""The numbers of symbols that single channels may have: the plan's, or what rejections teach."""

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

LIMIT_RETRY_SECONDS = 600.0
"""The time until one symbol more than a learnt limit is tried again."""


class LearntLimits:
    """Limits by channel; one that is in neither ``plan`` nor learnt has none.

    A plan may grow while the ingest runs: after ``LIMIT_RETRY_SECONDS``, one symbol more than a
    learnt limit tests it. ``monotonic`` gives seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float], plan: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._plan = plan
        self._learnt: dict[str, tuple[int, float]] = {}
        """By channel: its number of symbols, and when one more is tried (monotonic)."""
        self._monotonic = monotonic

    def of(self, channel: str) -> int | None:
        """Return the number of symbols that a channel may have now; None if there is no limit."""
        if channel not in self._learnt:
            return self._plan.get(channel)
        most, retry_at = self._learnt[channel]
        return most + 1 if self._monotonic() >= retry_at else most

    def of_all(self, channels: Iterable[str]) -> dict[str, int]:
        """Return the limits of those of the channels that have one."""
        found = ((channel, self.of(channel)) for channel in channels)
        return {channel: most for channel, most in found if most is not None}

    def learn(self, channel: str, limit: int) -> None:
        """Accept that a channel has no room for more than ``limit`` symbols."""
        self._learnt[channel] = limit, self._monotonic() + LIMIT_RETRY_SECONDS

    def on_acknowledged(self, channel: str, count: int) -> None:
        """Accept the number of symbols that a channel has: beyond its limit, the plan has grown."""
        if channel in self._learnt and count > self._learnt[channel][0]:
            del self._learnt[channel]

    def next_retry_at(self, now: float) -> float:
        """Return when one more symbol is tried for the first time after ``now`` (monotonic)."""
        times = (retry_at for _, retry_at in self._learnt.values())
        return min((at for at in times if at > now), default=math.inf)
