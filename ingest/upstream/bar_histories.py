"""Histories of bars: REST's rows applied to the table, stored, and announced as ``reload``."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ingest.bars.bar_changes import Reload
from ingest.bars.bar_events import stored_version
from ingest.bars.bar_table import BarTable
from ingest.bars.stored_histories import StoredHistories
from ingest.bars.timeframes import SECOND_NS, Timeframe
from ingest.demand.wanted import Demand
from ingest.upstream.announcements import Announcements
from ingest.upstream.stored_bars import StoredBars, StoredVersion
from ingest.upstream.symbol_rows import SymbolRows
from shared import bar, rfc3339
from shared.bar import KINDS, ReloadReason
from shared.event_id import EventId
from shared.topics import topic


class _History(NamedTuple):
    """The bars to store by topic.

    ``removed_before``: the topics whose stored bars from before a time (unix s) have another scale.
    ``reloads``: the symbols whose clients read their bars again, with the reason and its unix ns;
    ``filled`` those whose clients may have read too few; ``repeated`` those for which this holds
    if Redis has lost their bars.
    """

    bars: dict[str, list[bar.Bar]]
    removed_before: dict[str, int]
    reloads: list[tuple[str, ReloadReason, int]]
    filled: list[str]
    repeated: list[str]


class BarHistories:
    """``publish`` announces the table's changes."""

    def __init__(
        self,
        table: BarTable,
        rows: SymbolRows,
        store: StoredBars,
        demand: Demand,
        announcer: Announcements,
        publish: Callable[[], None],
    ) -> None:
        self._table = table
        self._rows = rows
        self._store = store
        self._demand = demand
        self._announcer = announcer
        self._publish = publish
        self._stored = StoredHistories(table.days)

    def on_reload(self, change: Reload) -> None:
        """Replace the stored bars of a topic: their prices have another scale."""
        self._stored.on_reload(topic(KINDS[change.timeframe], change.symbol), change)

    def on_lost(self, topics: Iterable[str]) -> None:
        """Note that Redis has lost the bars of topics."""
        self._stored.on_lost(topics)

    async def apply(
        self,
        timeframe: Timeframe,
        rows: Mapping[str, Sequence[object]],
        as_of: EventId,
        now_ns: int,
        since: int,
    ) -> None:
        """Apply the rows that REST has of symbols since a time (unix s), and store the bars.

        ``as_of`` is the id of an event before the request, which was sent at ``now_ns``.

        Raises:
            BusError: Redis is unreachable or rejects the bars.
        """
        kind = KINDS[timeframe]
        # Read for these symbols alone: those of all charts together would fill the memory.
        stored = await self._store.read([topic(kind, symbol) for symbol in rows])
        history = await self._apply(timeframe, rows, stored, now_ns)
        lost = await self._store.lacking([topic(kind, symbol) for symbol in history.repeated])
        if history.bars:
            await self._store.fill(
                history.bars,
                as_of,
                whole_since=dict.fromkeys(history.bars, since),
                removed_before=history.removed_before,
            )
        # A chart may have been closed meanwhile: the note of that must come after this one's.
        charts = self._demand.charts()
        gone = [symbol for symbol in rows if kind not in charts.get(symbol, ())]
        await self._store.forget([topic(kind, symbol) for symbol in gone])
        filled = [*history.filled, *(s for s in history.repeated if topic(kind, s) in lost)]
        reloads = [*history.reloads, *((symbol, "filled", now_ns) for symbol in filled)]
        for symbol, reason, at_ns in reloads:
            at = rfc3339.from_nanoseconds(at_ns)
            self._announcer.reload(timeframe, symbol, reason, at)

    async def _apply(
        self,
        timeframe: Timeframe,
        rows: Mapping[str, Sequence[object]],
        stored: Mapping[str, Sequence[StoredVersion]],
        now_ns: int,
    ) -> _History:
        """Apply the rows of symbols; return the bars to store. ``stored`` are by topic."""
        history = _History({}, {}, [], [], [])
        for symbol, found in rows.items():
            # Prices and the lease do not wait for a hundred histories: they take 0.3 s together,
            # and several on a busy machine.
            await asyncio.sleep(0)
            if symbol not in self._table.symbols:
                continue
            where, bars = topic(KINDS[timeframe], symbol), self._rows.bars(symbol, found)
            fill = partial(self._table.fill, symbol, timeframe, bars, now_ns)
            filled = self._rows.applied(symbol, fill)
            self._publish()
            if filled is None:
                continue
            ended = self._table.ended(symbol, timeframe)
            known = [stored_version(each.bar) for each in stored[where] if not each.running]
            new = self._stored.to_store(timeframe, where, bars, filled, ended, known, now_ns)
            history.bars[where] = new.bars
            if new.reload is not None:
                history.removed_before[where] = new.reload.at_ns // SECOND_NS
                history.reloads.append((symbol, new.reload.reason, new.reload.at_ns))
            # A chart may have been read before: no event brings these bars.
            elif new.bars and self._demand.watches(where):
                (history.repeated if new.every else history.filled).append(symbol)
        return history
