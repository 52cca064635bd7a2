"""Bars that Redis does not have, as the ingest provides them on request."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.bar import Timeframe
from shared.request import Adjustment


class BarQuery(NamedTuple):
    """The newest ``limit`` bars of each symbol that start from ``start`` to ``end``.

    Both are unix s and belong to the range; None: as far back as the feed goes, and now.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...]
    start: int | None
    end: int | None
    limit: int
    adjustment: Adjustment


class OlderBarsAnswer(NamedTuple):
    """``bars``: of each symbol, oldest first: the start in unix s, and the JSON of an event.

    ``complete_from``: from when on (unix s) they are all bars in the range; None if unknown.
    """

    bars: Mapping[str, Sequence[tuple[int, bytes]]]
    complete_from: Mapping[str, int | None]


class OlderBars(Protocol):
    """Answers queries for bars beyond those in Redis, within a limit of time."""

    async def read(self, query: BarQuery) -> OlderBarsAnswer:
        """Return the bars; those that the feed has, up to now."""
