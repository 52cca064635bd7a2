"""REST's part in the bars: histories, minutes that the stream did not bring, and days so far."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial

import structlog

from ingest.bars.bar_changes import (
    DayNeed,
    FillNeed,
    MinutesNeed,
    Need,
    Reload,
    TradesNeed,
)
from ingest.bars.bar_table import BarTable
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.history_window import history_start
from ingest.bars.need_schedule import SYMBOLS_PER_REQUEST, NeedSchedule
from ingest.bars.stored_histories import is_over
from ingest.bars.timeframes import MINUTE, MINUTE_NS, Timeframe, minute_of
from ingest.demand.wanted import Demand
from ingest.market.market_hours import MarketHours
from ingest.upstream import translation
from ingest.upstream.announcements import Announcements
from ingest.upstream.bar_histories import BarHistories
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.market_rest import MarketRest
from ingest.upstream.stored_bars import StoredBars
from ingest.upstream.symbol_rows import SymbolRows
from shared import rfc3339
from shared.bar import KINDS
from shared.bus.errors import BusError
from shared.event_id import EventId
from shared.topics import topic
from shared.waiting import wait_at_most

log = structlog.get_logger()

SCHEDULE_SECONDS = 0.5

POLLED_MINUTES = 2
"""A minute may get its late trades after it was polled."""

_REJECTED = (400, 422)
"""HTTP statuses with which Alpaca rejects a request for one of its symbols."""


class BarRest:
    """Answers the table's questions; failed requests are repeated.

    ``hours`` returns the newest calendar. ``next_id`` returns the id of the next event and counts
    it. ``bounds``: how many bars of each topic are stored, by kind. ``publish`` announces the
    table's changes. ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        rest: MarketRest,
        table: BarTable,
        store: StoredBars,
        demand: Demand,
        announcer: Announcements,
        hours: Callable[[], MarketHours],
        next_id: Callable[[], EventId],
        bounds: Mapping[str, int],
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.publish: Callable[[], None] = lambda: None
        self._rest = rest
        self._table = table
        self._demand = demand
        self._announcer = announcer
        self._hours = hours
        self._next_id = next_id
        self._bounds = bounds
        self._clock = clock
        self._schedule = NeedSchedule(monotonic)
        self._wake = asyncio.Event()
        self._rows = SymbolRows(rest.malformed)
        self._histories = BarHistories(
            table, self._rows, store, demand, announcer, lambda: self.publish()
        )
        self._failing = False

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                while batch := self._schedule.take():
                    tasks.create_task(self._serve(batch))
                await wait_at_most(self._wake, SCHEDULE_SECONDS)

    def ask(self, needs: Iterable[Need]) -> None:
        """Accept the questions of the table."""
        self._schedule.add(needs)
        self._wake.set()

    def forget_others(self, symbols: Set[str]) -> None:
        """Forget all symbols but these."""
        self._schedule.forget_others(symbols)

    def on_reload(self, change: Reload) -> None:
        """Replace the stored bars of a topic: their prices have another scale."""
        self._histories.on_reload(change)

    def rewrite(self) -> None:
        """Store every bar of all topics again: Redis has lost its data."""
        topics = self._topics()
        self._histories.on_lost(where for where, _, _ in topics)
        self._table.repeat_running()
        self._schedule.add(FillNeed(symbol, timeframe) for _, symbol, timeframe in topics)
        self._wake.set()

    async def poll(self, symbols: Sequence[str]) -> None:
        """Fetch the newest minutes of symbols whose bars the stream does not bring."""
        for begin in range(0, len(symbols), SYMBOLS_PER_REQUEST):
            try:
                await self._poll(symbols[begin : begin + SYMBOLS_PER_REQUEST])
            except RestError as error:  # the next minute's poll has these bars too
                self._note_failure(error)
        self.ask(DayNeed(symbol) for symbol in symbols)

    async def _poll(self, symbols: Sequence[str]) -> None:
        now_ns = self._clock()
        start = minute_of(now_ns) - POLLED_MINUTES * MINUTE_NS
        found = await self._rest.bars(symbols, MINUTE, _moment(start), _moment(now_ns))
        for symbol in symbols:
            for each in self._rows.bars(symbol, found.rows.get(symbol, ())):
                if is_over(MINUTE, each, now_ns):
                    self._rows.applied(symbol, partial(self._table.on_bar, each, now_ns))

    def _topics(self) -> list[tuple[str, str, Timeframe]]:
        charts = self._demand.charts()
        return [
            (topic(kind, symbol), symbol, timeframe)
            for symbol in self._table.symbols
            for timeframe, kind in KINDS.items()
            if kind in charts.get(symbol, ())
        ]

    async def _serve(self, batch: Sequence[tuple[Need, int]]) -> None:
        try:
            await self._answer([need for need, _ in batch])
        except (RestError, BusError) as error:
            self._note_failure(error)
            for need in self._schedule.failed(batch):
                self._give_up(need)
        else:
            self._failing = False
            self._schedule.done()
        finally:
            self.publish()
            self._wake.set()

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:  # one line for an outage
            log.warning(
                "bars_failed",
                message="the bars of a history or of a gap could not be fetched; this is repeated",
                error=str(error),
            )
        self._failing = True

    def _give_up(self, need: MinutesNeed) -> None:
        """Announce that the bars of a span are lost."""
        self._table.give_up(need)
        where = [topic(kind, need.symbol) for kind in self._demand.charts().get(need.symbol, ())]
        watched = [each for each in where if self._demand.watches(each)]
        begin, end = map(rfc3339.from_nanoseconds, (need.begin_ns, need.end_ns))
        self._announcer.gap(watched, begin, end, "upstream_lost")

    async def _answer(self, needs: Sequence[Need]) -> None:
        """Answer questions of one kind; without a symbol that REST rejects.

        Raises:
            RestError: REST failed.
            BusError: Redis is unreachable or rejects the bars.
        """
        try:
            await self._ask(needs)
        except RestError as error:
            if error.status not in _REJECTED:
                raise
            symbols = sorted({need.symbol for need in needs})
            if len(symbols) == 1:
                self._rest.malformed.note(f"request for bars of {symbols[0]}", error)
                return
            # One symbol of an unknown form spoils the request: halving finds it.
            half = set(symbols[: len(symbols) // 2])
            await self._answer([need for need in needs if need.symbol in half])
            await self._answer([need for need in needs if need.symbol not in half])

    async def _ask(self, needs: Sequence[Need]) -> None:
        match needs[0]:
            case FillNeed(timeframe=timeframe):
                await self._fill(timeframe, [need.symbol for need in needs])
            case MinutesNeed():
                await self._repair([need for need in needs if isinstance(need, MinutesNeed)])
            case TradesNeed():
                await self._complete([need for need in needs if isinstance(need, TradesNeed)])
            case DayNeed():
                await self._read_days([need.symbol for need in needs])

    async def _fill(self, timeframe: Timeframe, symbols: Sequence[str]) -> None:
        as_of, now_ns = self._next_id(), self._clock()
        count = self._bounds[KINDS[timeframe]]
        start = history_start(timeframe, count, now_ns, self._hours())
        found = await self._rest.bars(symbols, timeframe, start, _moment(now_ns))
        # The rest of a long answer is asked for by itself.
        complete = [symbol for symbol in symbols if symbol not in found.incomplete]
        if complete:
            self.ask(FillNeed(symbol, timeframe) for symbol in found.incomplete)
        rows = {s: found.rows.get(s, ()) for s in complete or symbols}
        await self._histories.apply(timeframe, rows, as_of, now_ns, int(start.timestamp()))

    async def _repair(self, needs: Sequence[MinutesNeed]) -> None:
        start = min(need.begin_ns for need in needs)
        end = max(need.end_ns for need in needs) - MINUTE_NS
        symbols = sorted({need.symbol for need in needs})
        found = await self._rest.bars(symbols, MINUTE, _moment(start), _moment(end))
        if len(found.incomplete) < len(symbols):
            self.ask(need for need in needs if need.symbol in found.incomplete)
        now_ns = self._clock()
        for need in needs:
            if need.symbol not in found.incomplete or len(symbols) == 1:
                bars = self._rows.bars(need.symbol, found.rows.get(need.symbol, ()))
                self._rows.applied(need.symbol, partial(self._table.repair, need, bars, now_ns))

    async def _complete(self, needs: Sequence[TradesNeed]) -> None:
        # A minute that is over has its bar by now, or is asked for as a whole.
        needs = [need for need in needs if minute_of(need.begin_ns) + MINUTE_NS > self._clock()]
        if not needs:
            return
        since = min(need.begin_ns for need in needs) / 1e9
        symbols = sorted({need.symbol for need in needs})
        found = await self._rest.trades(symbols, since, polling=True)
        for need in needs:
            if need.symbol not in found.incomplete:
                trades = self._rows.trades(need.symbol, found.rows.get(need.symbol, ()))
                complete = partial(self._table.complete, need, trades, self._clock())
                self._rows.applied(need.symbol, complete)

    async def _read_days(self, symbols: Sequence[str]) -> None:
        asked_ns = self._clock()
        found = await self._rest.snapshots(symbols, polling=True)
        for symbol in symbols:
            self._rows.applied(
                symbol, partial(self._apply_day, symbol, found.get(symbol), asked_ns)
            )

    def _apply_day(self, symbol: str, row: object, asked_ns: int) -> None:
        """Apply a symbol's snapshot, None if REST has none.

        Raises:
            ValueError: it has another form.
        """
        if row is None:
            self._table.on_rest_day_bar(symbol, DaySnapshot(None, -1, asked_ns))
            return
        snapshot = translation.snapshot(symbol, row, with_quote=False)
        latest_ns = -1 if snapshot.trade is None else snapshot.trade.at_ns
        self._table.on_rest_day_bar(symbol, DaySnapshot(snapshot.day, latest_ns, asked_ns))


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns / 1e9, UTC)
