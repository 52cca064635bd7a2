"""The losses that were announced on one topic. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.protocol import rfc3339

SLACK_NS = 2_000_000_000
"""The bounds of a gap are the times of events, and an event may be late."""


@dataclass
class _Gap:
    """A loss between two times in unix nanoseconds; ``is_open``: up to the next event."""

    start: int
    end: int
    is_open: bool


class Gaps:
    """The gaps of one topic; ``count`` is their number."""

    def __init__(self) -> None:
        self._all: list[_Gap] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._all)

    def add(self, data: Mapping[str, Any], newest: int) -> None:
        """Note a ``gap`` event; ``newest``: the time (unix ns) of the newest event before it."""
        start = newest if data["from"] is None else rfc3339.parse(data["from"])
        end = 0 if data["to"] is None else rfc3339.parse(data["to"])
        self._all.append(_Gap(start, end, data["to"] is None))

    def close(self, at: int) -> None:
        """Note the time (unix ns) of an event: the gaps up to the next event end there."""
        for gap in self._all:
            if gap.is_open:
                gap.end, gap.is_open = at, False

    def cover(self, times: Collection[int]) -> bool:
        """Return whether one of these times (unix ns) is in a gap, give or take two seconds."""
        return any(
            gap.start - SLACK_NS <= at and (gap.is_open or at <= gap.end + SLACK_NS)
            for gap in self._all
            for at in times
        )
