"""The bars of all charted symbols: the entrance for the stream's messages and REST's answers.

The caller passes on each message of a symbol in ``symbols``, then takes ``changes`` (after each
frame of messages or a few times a second, and at least once a second) and ``needs``, which it asks
REST for. Nothing here waits, reads a clock or sends. Times are unix nanoseconds.
"""

from collections.abc import Callable, Iterable, KeysView, Sequence, Set
from heapq import heappop, heappush

from ingest.bars.bar_changes import BarChange, Change, MinutesNeed, Need, TradesNeed
from ingest.bars.bar_counts import BarCounts
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.symbol_bars import Filled, Stored, SymbolBars
from ingest.bars.timeframes import Timeframe
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Cancel, Correction, StreamedPrint, Trade
from ingest.market.trading_day import STOCK_DAYS, TradingDays


class BarTable:
    """``hours`` returns the newest calendar. ``counts`` compares own bars with the vendor's.

    ``days`` are those of the market.
    """

    __slots__ = (
        "_asking",
        "_bars",
        "_by_symbol",
        "_changed",
        "_due",
        "_due_at",
        "_hours",
        "_trades",
        "counts",
        "days",
    )

    def __init__(self, hours: Callable[[], MarketHours], days: TradingDays = STOCK_DAYS) -> None:
        self.days = days
        self.counts = BarCounts()
        self._hours = hours
        self._by_symbol: dict[str, SymbolBars] = {}
        self._changed: dict[str, None] = {}
        """The symbols whose changes have not been taken, in order."""
        self._asking: dict[str, None] = {}
        """The symbols that may have new questions."""
        self._due: list[tuple[int, str]] = []
        """A heap of the moments at which time alone changes a symbol's bars."""
        self._due_at: dict[str, int] = {}
        self._trades: Set[str] = frozenset()
        self._bars: Set[str] = frozenset()

    @property
    def symbols(self) -> KeysView[str]:
        """The charted symbols: the messages of others concern no bar."""
        return self._by_symbol.keys()

    def watch(self, symbol: str, timeframes: Iterable[Timeframe], now_ns: int) -> None:
        """Make these timeframes' bars of a symbol from now on, and no others."""
        bars = self._by_symbol.get(symbol)
        wanted = frozenset(timeframes)
        if bars is None:
            bars = self._by_symbol[symbol] = SymbolBars(symbol, self.counts, self.days)
            bars.watch(wanted, now_ns)
            bars.on_subscribed(now_ns, trades=symbol in self._trades, bars=symbol in self._bars)
        elif wanted != bars.timeframes:
            bars.watch(wanted, now_ns)
        self._changed[symbol] = None

    def forget_others(self, symbols: Set[str]) -> None:
        """Forget all symbols but these."""
        for symbol in [each for each in self._by_symbol if each not in symbols]:
            del self._by_symbol[symbol]
            self._changed.pop(symbol, None)
            self._asking.pop(symbol, None)
            self._due_at.pop(symbol, None)

    def on_subscribed(self, trades: Set[str], bars: Set[str], now_ns: int) -> None:
        """Take the whole subscription that the stream has acknowledged.

        ``bars`` are the symbols that have both ``bars`` and ``updatedBars``.
        """
        self._trades, self._bars = frozenset(trades), frozenset(bars)
        for symbol, each in self._by_symbol.items():
            each.on_subscribed(now_ns, trades=symbol in trades, bars=symbol in bars)
            self._changed[symbol] = None

    def on_stream_lost(self, now_ns: int) -> None:
        """Take that the connection was lost: nothing is subscribed any more."""
        self.on_subscribed(frozenset(), frozenset(), now_ns)

    def on_missed(self, symbol: str, since_ns: int, now_ns: int) -> None:
        """Take that the stream, which lives, may have lost data of a symbol since a moment."""
        bars = self._by_symbol.get(symbol)
        if bars is not None:
            bars.on_missed(since_ns, now_ns)
            self._changed[symbol] = None

    def on_trade(self, trade: StreamedPrint, at_ns: int, now_ns: int) -> None:
        """Apply a print of the stream; ``at_ns`` is its time."""
        bars = self._by_symbol.get(trade.symbol)
        if bars is not None:
            minutes = bars.minutes
            minutes.on_trade(trade, at_ns, now_ns)
            if minutes.changed:
                self._changed[trade.symbol] = None

    def on_cancel(self, cancel: Cancel) -> None:
        """Withdraw a print."""
        if (bars := self._bars_of(cancel.symbol)) is not None:
            bars.minutes.on_cancel(cancel)

    def on_correction(self, correction: Correction) -> None:
        """Correct a print."""
        if (bars := self._bars_of(correction.symbol)) is not None:
            bars.minutes.on_correction(correction)

    def on_bar(self, bar: Bar, now_ns: int) -> None:
        """Apply the stream's bar of a minute, or its revision (``bars``, ``updatedBars``).

        Raises:
            ValueError: its time is no minute's start, or in the future.
        """
        if (bars := self._bars_of(bar.symbol)) is not None:
            bars.on_vendor_bar(bar, now_ns)

    def on_day_bar(self, bar: Bar, received_ns: int) -> None:
        """Apply the stream's bar of the day so far (``dailyBars``)."""
        if (bars := self._bars_of(bar.symbol)) is not None:
            bars.on_day_bar(bar, received_ns)

    def on_rest_day_bar(self, symbol: str, snapshot: DaySnapshot) -> None:
        """Apply a snapshot's daily bar: the answer to a ``DayNeed``."""
        if (bars := self._bars_of(symbol)) is not None:
            bars.on_rest_day_bar(snapshot)

    def complete(self, need: TradesNeed, trades: Sequence[Trade], now_ns: int) -> None:
        """Apply REST's trades, the answer to a ``TradesNeed``."""
        if (bars := self._bars_of(need.symbol)) is not None:
            bars.on_missed_trades(need, trades, now_ns)

    def repair(self, need: MinutesNeed, bars: Iterable[Bar], now_ns: int) -> None:
        """Apply REST's minute bars, the answer to a ``MinutesNeed``; there may be none."""
        if (each := self._bars_of(need.symbol)) is not None:
            each.repair(need, bars, now_ns)

    def give_up(self, need: MinutesNeed) -> None:
        """Note that REST cannot answer a ``MinutesNeed``: own bars are final, if there are any."""
        if (bars := self._bars_of(need.symbol)) is not None:
            bars.give_up(need)

    def fill(self, symbol: str, timeframe: Timeframe, bars: Iterable[Bar], now_ns: int) -> Filled:
        """Take REST's history, the answer to a ``FillNeed``; return the rows to store.

        It is adjusted for splits. The stored history has to be restored before.
        """
        each = self._bars_of(symbol)
        if each is None:
            return Filled([], replaces=False)
        return each.fill(timeframe, bars, now_ns, self._hours())

    def restore(
        self, symbol: str, timeframe: Timeframe, stored: Iterable[Stored], now_ns: int
    ) -> None:
        """Take over the newest bars that an earlier leader stored."""
        if (bars := self._bars_of(symbol)) is not None:
            bars.restore(timeframe, stored, now_ns)

    def on_split(self, symbol: str, at_ns: int) -> None:
        """Take that a split takes effect at a moment, the start of a day."""
        if (bars := self._bars_of(symbol)) is not None:
            bars.on_split(at_ns)

    def ended(self, symbol: str, timeframe: Timeframe) -> list[BarChange]:
        """Return the newest versions of the ended bars that are kept, in no order."""
        bars = self._by_symbol.get(symbol)
        return [] if bars is None else bars.ended(timeframe)

    def repeat_running(self) -> None:
        """Show all running bars again, for an emptied Redis."""
        for symbol, bars in self._by_symbol.items():
            bars.repeat_running()
            self._changed[symbol] = None

    def changes(self, now_ns: int) -> list[Change]:
        """Return the versions to show now, those of each topic in order.

        A bar that runs is among them at most once.
        """
        while self._due and self._due[0][0] <= now_ns:
            due_ns, symbol = heappop(self._due)
            if self._due_at.get(symbol) == due_ns:
                del self._due_at[symbol]
                self._changed[symbol] = None
        if not self._changed:
            return []
        changed, self._changed = self._changed, {}
        hours, found = self._hours(), list[Change]()
        for symbol in changed:
            bars = self._by_symbol[symbol]
            found += bars.changes(now_ns, hours)
            self._schedule(symbol, bars.due_ns(hours))
        self._asking.update(changed)
        return found

    def needs(self, now_ns: int) -> list[Need]:
        """Return the questions for REST that there are after ``changes``, each once.

        The caller repeats a request that fails.
        """
        asking, self._asking = self._asking, {}
        return [need for each in asking for need in self._by_symbol[each].needs(now_ns)]

    def _bars_of(self, symbol: str) -> SymbolBars | None:
        """Return a charted symbol's bars, which are about to change."""
        bars = self._by_symbol.get(symbol)
        if bars is not None:
            self._changed[symbol] = None
        return bars

    def _schedule(self, symbol: str, due_ns: int | None) -> None:
        before = self._due_at.get(symbol)
        if due_ns is not None and (before is None or due_ns < before):
            self._due_at[symbol] = due_ns
            heappush(self._due, (due_ns, symbol))
