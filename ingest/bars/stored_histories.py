"""Which bars of REST's histories are stored, and in which versions. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ingest.bars.bar_changes import BarChange, Reload
from ingest.bars.bar_events import bar_event
from ingest.bars.symbol_bars import Filled, Stored
from ingest.bars.timeframes import DAY, FOLDED, MINUTE_NS, Timeframe
from ingest.market.bars import Bar
from ingest.market.trading_day import STOCK_DAYS, TradingDays
from shared import bar


class ToStore(NamedTuple):
    """The bars of a topic to store, oldest first.

    ``reload``: the stored bars from before its moment have another scale. ``every``: these are all
    bars of the topic, for a Redis that may have lost them.
    """

    bars: list[bar.Bar]
    reload: Reload | None = None
    every: bool = False


class StoredHistories:
    """Which topics' stored bars are to be replaced, until their histories are there.

    ``days`` are those of the market.
    """

    def __init__(self, days: TradingDays = STOCK_DAYS) -> None:
        self._days = days
        self._rewritten: dict[str, Reload | None] = {}
        """The topics of which every bar is to be stored, and why their clients read them again."""

    def on_reload(self, where: str, change: Reload) -> None:
        """Note that the stored bars of a topic have another scale."""
        self._rewritten[where] = change

    def on_lost(self, topics: Iterable[str]) -> None:
        """Note that no bar of all topics is stored any more."""
        for where in topics:
            self._rewritten.setdefault(where, None)

    def to_store(
        self,
        timeframe: Timeframe,
        where: str,
        rows: Sequence[Bar],
        filled: Filled,
        ended: Iterable[BarChange],
        stored: Iterable[Stored],
        now_ns: int,
    ) -> ToStore:
        """Return what to store of a history, ``rows``, of which the table has made ``filled``.

        ``ended`` are the newest versions that events have brought, ``stored`` those in Redis.
        """
        if where not in self._rewritten:
            return ToStore(_new_versions(filled.rows, stored))
        over = [each for each in rows if is_over(timeframe, each, now_ns, self._days)]
        versions = {each.at_ns: BarChange(timeframe, each, final=True) for each in over}
        versions |= {each.bar.at_ns: each for each in ended}
        bars = [bar_event(versions[start]) for start in sorted(versions)]
        return ToStore(bars, self._rewritten.pop(where), every=True)


def _new_versions(rows: Iterable[BarChange], stored: Iterable[Stored]) -> list[bar.Bar]:
    """Return the rows of a history that differ from the stored bars."""
    known, found = {each.bar.at_ns: each for each in stored}, []
    for change in rows:
        before = known.get(change.bar.at_ns)
        if before is not None and before.bar == change.bar and before.final:
            continue
        event = bar_event(change)
        if before is not None:
            event.revision = before.revision + 1
        found.append(event)
    return found


def is_over(timeframe: Timeframe, found: Bar, now_ns: int, days: TradingDays = STOCK_DAYS) -> bool:
    """Return whether the span of a bar has ended; a day that has closed ends at midnight."""
    if timeframe == DAY:
        return days.day_of(found.at_ns) < days.day_of(now_ns)
    return found.at_ns + FOLDED.get(timeframe, MINUTE_NS) <= now_ns
