"""REST's part in the bars: histories, minutes that the stream did not bring, and days so far."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import structlog

from ingest.bars.bar_changes import (
    BarChange,
    DayNeed,
    FillNeed,
    MinutesNeed,
    Need,
    Reload,
    TradesNeed,
)
from ingest.bars.bar_events import bar_event
from ingest.bars.bar_table import BarTable
from ingest.bars.history_window import history_start
from ingest.bars.need_schedule import SYMBOLS_PER_REQUEST, NeedSchedule
from ingest.bars.symbol_bars import Stored
from ingest.bars.timeframes import DAY, FOLDED, MINUTE, MINUTE_NS, Timeframe, minute_of
from ingest.demand.wanted import Demand
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Trade
from ingest.market.rest_prints import Fate
from ingest.market.trading_day import day_of
from ingest.upstream import translation
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.announcements import Announcements
from ingest.upstream.blocking_calls import RestError
from shared import bar, rfc3339
from shared.bar import KINDS, ReloadReason
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

_Result = TypeVar("_Result")


class StoredBars(Protocol):
    """The bars in Redis; ``ingest.bus`` implements it."""

    async def fill(
        self,
        bars: Mapping[str, Sequence[bar.Bar]],
        as_of: EventId,
        *,
        whole_since: Mapping[str, int],
        replaces: bool = False,
    ) -> None:
        """Store ended bars by topic; a version that was published after ``as_of`` stays.

        Raises:
            BusError: Redis is unreachable or rejects the script.
        """

    async def forget(self, topics: Sequence[str]) -> None:
        """Note that the bars of topics are no longer kept whole.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """


class _History(NamedTuple):
    """The bars to store by topic: beside the stored ones, or in place of all of them.

    ``reloads``: the symbols whose clients read their bars again, with the reason and its unix ns.
    """

    added: dict[str, list[bar.Bar]]
    replaced: dict[str, list[bar.Bar]]
    reloads: list[tuple[str, ReloadReason, int]]


class BarRest:
    """Answers the table's questions; failed requests are repeated.

    ``hours`` returns the newest calendar. ``next_id`` returns the id of the next event and counts
    it. ``bounds``: how many bars of each topic are stored, by kind. ``publish`` announces the
    table's changes. ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        rest: AlpacaRest,
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
        self._store = store
        self._demand = demand
        self._announcer = announcer
        self._hours = hours
        self._next_id = next_id
        self._bounds = bounds
        self._clock = clock
        self._schedule = NeedSchedule(monotonic)
        self._wake = asyncio.Event()
        self._known: dict[str, dict[int, Stored]] = {}
        """The bars that an earlier leader has stored, by topic and start, until they are filled."""
        self._rewritten: dict[str, Reload | None] = {}
        """The topics of which every bar is to be stored, and why their clients read them again."""
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

    def restore(self, where: str, stored: Iterable[Stored]) -> None:
        """Accept the bars of a topic that are stored: a history repeats none of them."""
        self._known[where] = {each.bar.at_ns: each for each in stored}

    def on_reload(self, change: Reload) -> None:
        """Replace the stored bars of a topic: their prices have another scale."""
        self._rewritten[topic(KINDS[change.timeframe], change.symbol)] = change

    def rewrite(self) -> None:
        """Store every bar of all topics again: Redis has lost its data."""
        self._known.clear()
        for where, symbol, timeframe in self._topics():
            self._rewritten.setdefault(where, None)
            self._schedule.add([FillNeed(symbol, timeframe)])
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
            for each in self._bars(symbol, found.rows.get(symbol, ())):
                if _is_over(MINUTE, each, now_ns):
                    self._applied(symbol, partial(self._table.on_bar, each, now_ns))

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
        await self._store_history(timeframe, rows, as_of, now_ns, int(start.timestamp()))

    async def _store_history(
        self,
        timeframe: Timeframe,
        rows: Mapping[str, Sequence[object]],
        as_of: EventId,
        now_ns: int,
        since: int,
    ) -> None:
        history = await self._apply_history(timeframe, rows, now_ns)
        if history.added:
            whole = dict.fromkeys(history.added, since)
            await self._store.fill(history.added, as_of, whole_since=whole)
        if history.replaced:
            whole = dict.fromkeys(history.replaced, since)
            await self._store.fill(history.replaced, as_of, whole_since=whole, replaces=True)
        # A chart may have been closed meanwhile: the note of that must come after this one's.
        charts, kind = self._demand.charts(), KINDS[timeframe]
        gone = [symbol for symbol in rows if kind not in charts.get(symbol, ())]
        await self._store.forget([topic(kind, symbol) for symbol in gone])
        for symbol, reason, at_ns in history.reloads:
            at = rfc3339.from_nanoseconds(at_ns)
            self._announcer.reload(timeframe, symbol, reason, at)

    async def _apply_history(
        self, timeframe: Timeframe, rows: Mapping[str, Sequence[object]], now_ns: int
    ) -> _History:
        """Apply the rows of symbols; return the bars to store."""
        history = _History({}, {}, [])
        for symbol, found in rows.items():
            # Prices and the lease do not wait for a hundred histories: they take 0.3 s together,
            # and several on a busy machine.
            await asyncio.sleep(0)
            if symbol not in self._table.symbols:
                continue
            where, bars = topic(KINDS[timeframe], symbol), self._bars(symbol, found)
            fill = partial(self._table.fill, symbol, timeframe, bars, now_ns)
            filled = self._applied(symbol, fill)
            self.publish()
            if filled is None:
                continue
            if where in self._rewritten:
                every = [each for each in bars if _is_over(timeframe, each, now_ns)]
                versions = [bar_event(BarChange(timeframe, each, final=True)) for each in every]
                reload = self._rewritten.pop(where)
                (history.added if reload is None else history.replaced)[where] = versions
                if reload is not None:
                    history.reloads.append((symbol, reload.reason, reload.at_ns))
                continue
            new = history.added[where] = self._new_versions(where, filled.rows)
            # A chart may have been read before: no event brings these bars.
            if new and self._demand.watches(where):
                history.reloads.append((symbol, "filled", now_ns))
        return history

    def _new_versions(self, where: str, rows: Iterable[BarChange]) -> list[bar.Bar]:
        """Return the rows of a history that differ from the stored bars."""
        known, found = self._known.pop(where, {}), []
        for change in rows:
            before = known.get(change.bar.at_ns)
            if before is not None and before.bar == change.bar and before.final:
                continue
            event = bar_event(change)
            if before is not None:
                event.revision = before.revision + 1
            found.append(event)
        return found

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
                bars = self._bars(need.symbol, found.rows.get(need.symbol, ()))
                self._applied(need.symbol, partial(self._table.repair, need, bars, now_ns))

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
                trades = self._trades(need.symbol, found.rows.get(need.symbol, ()))
                complete = partial(self._table.complete, need, trades, self._clock())
                self._applied(need.symbol, complete)

    async def _read_days(self, symbols: Sequence[str]) -> None:
        asked_ns = self._clock()
        found = await self._rest.snapshots(symbols, polling=True)
        for symbol in symbols:
            self._applied(symbol, partial(self._apply_day, symbol, found.get(symbol), asked_ns))

    def _apply_day(self, symbol: str, row: object, asked_ns: int) -> None:
        """Apply a symbol's snapshot, None if REST has none.

        Raises:
            ValueError: it has another form.
        """
        if row is None:
            self._table.on_rest_day_bar(symbol, None, asked_ns)
            return
        snapshot = translation.snapshot(symbol, row, with_quote=False)
        traded = snapshot.trade
        through_ns = asked_ns if traded is None else traded.at_ns + 1
        self._table.on_rest_day_bar(symbol, snapshot.day, through_ns)

    def _applied(self, symbol: str, apply: Callable[[], _Result]) -> _Result | None:
        """Apply an answer about a symbol; return None if that fails: it costs no other symbol."""
        try:
            return apply()
        except ValueError as error:
            self._rest.malformed.note(f"bars of {symbol}", error)
        except Exception as error:
            # The boundary for the errors that no rule expects.
            self._rest.malformed.note_escaped(f"bars of {symbol}", error)
        return None

    def _bars(self, symbol: str, rows: Sequence[object]) -> list[Bar]:
        where = f"bars of {symbol}"
        return translation.bars(symbol, rows, lambda text: self._rest.malformed.note(where, text))

    def _trades(self, symbol: str, rows: Sequence[object]) -> list[Trade]:
        found = []
        for row in rows:
            try:
                each = translation.print_of_row(symbol, row)
            except ValueError as error:
                self._rest.malformed.note(f"trade of {symbol}", error, row)
                continue
            if each is not None and each.fate in (Fate.STANDS, Fate.CORRECTED):
                found.append(each.trade)
        return found


def _is_over(timeframe: Timeframe, found: Bar, now_ns: int) -> bool:
    """Return whether the span of a bar has ended; a day that has closed ends at midnight."""
    if timeframe == DAY:
        return day_of(found.at_ns) < day_of(now_ns)
    span_ns = MINUTE_NS if timeframe == MINUTE else FOLDED[timeframe]
    return found.at_ns + span_ns <= now_ns


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns / 1e9, UTC)
