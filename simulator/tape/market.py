"""The market as replayed so far, per symbol: the newest trades, latest quote, bars.

Pure; the source of the snapshots, bars and trades in REST, of the bars on the streams, and of the
positions' value. Bars follow Alpaca's published rules, see `bar_conditions`.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message, json_fields
from simulator.tape.bars import MINUTE
from simulator.tape.history import Anchor, Fold, History
from simulator.tape.hours import EASTERN, MarketHours, midnight
from simulator.tape.recording import DailyBar
from simulator.tape.symbol_bars import SymbolBars

_REMEMBERED_TRADES: Final = 2000
"""The limit for each symbol."""

_CLOSING_SECONDS: Final = 300
"""The closing auction, and late reports, are printed up to this time after the close."""

_TOUCHED_MINUTES: Final = 8


@dataclass
class _Known:
    bars: SymbolBars
    quote: Message | None = None
    trades: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRADES))
    void: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRADES))
    """The trades that were cancelled or corrected, with their `u`."""

    def latest_trade(self) -> Message | None:
        # among several of the same time, the one that arrived last
        return max(reversed(self.trades), key=_time, default=None)


class Market:
    """The symbols of this run, each with its data."""

    def __init__(
        self,
        hours: MarketHours,
        history: History | None = None,
        *,
        zone: ZoneInfo = EASTERN,
        new_bars: Callable[[], SymbolBars] = SymbolBars,
    ) -> None:
        """`zone` is that of the days; `new_bars` makes the bars of a symbol."""
        self.zone = zone
        self._hours = hours
        self._history = history or History(hours, zone=zone)
        self._new_bars = new_bars
        self._known: dict[str, _Known] = {}
        self._touched: dict[int, set[str]] = {}
        self._midnight = (-1, 0)

    def expect(
        self, symbols: Iterable[str], recorded_days: Mapping[str, Sequence[DailyBar]]
    ) -> None:
        """Announce symbols, with the bars of the trading days before, oldest first."""
        for symbol in (*symbols, *recorded_days):
            self._known[symbol] = _Known(self._new_bars())
        for symbol, days in recorded_days.items():
            self._history.record(symbol, days)

    def expect_trades(self, first_prices: Mapping[str, float], begins: int) -> None:
        """Announce the prices of the first trades, and the time at which the tape begins."""
        for symbol, price in first_prices.items():
            known = self._known.setdefault(symbol, _Known(self._new_bars()))
            known.bars.expect(price, begins // MINUTE * MINUTE)

    def observe(self, message: Message) -> None:
        """Record a message that is being sent; one with invalid fields changes nothing."""
        symbol, time = message.get("S"), message.get("t")
        if not isinstance(symbol, str) or not isinstance(time, int):
            return
        known = self._known.get(symbol)
        if known is None:
            known = self._known[symbol] = _Known(self._new_bars())
        match message["T"]:
            case "q" if known.quote is None or time >= _time(known.quote):
                known.quote = message
                known.bars.quoted(message, time)
            case "t" if _is_whole(message):
                known.trades.append(message)
                day, is_regular = self.midnight(time), self._is_regular(time)
                minute = known.bars.add(message, time, day, is_regular=is_regular)
                self._touch(minute, symbol)
            case "x":
                self._replace(symbol, _find(known.trades, message, "i", "p", "s"), None)
            case "c":
                self._replace(symbol, _find(known.trades, message, "oi", "op", "os"), message)
            case "b" | "u" | "d" as kind if _is_bar(message):
                known.bars.give(message, time, is_day=kind == "d")

    def midnight(self, time: int) -> int:
        """Return the start of the day that holds a time, both in Unix nanoseconds."""
        minute = time // MINUTE
        if self._midnight[0] != minute:
            self._midnight = (minute, midnight(time, self.zone))
        return self._midnight[1]

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""
        return symbol in self._known

    def symbols(self) -> Collection[str]:
        """Return the symbols that are expected, or have had a message."""
        return self._known.keys()

    def touched(self, minute: int) -> Collection[str]:
        """Return the symbols with a trade, cancel or correction of one of the newest minutes."""
        return self._touched.get(minute, ())

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""
        known = self._known.get(symbol)
        return None if known is None else known.quote

    def latest_trade(self, symbol: str) -> Message | None:
        """Return the latest trade, None before the first."""
        known = self._known.get(symbol)
        return None if known is None else known.latest_trade()

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade in dollars, None before the first."""
        trade = self.latest_trade(symbol)
        return None if trade is None else _number(trade, "p")

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if there is no bar of a day before."""
        today = self.midnight(now)
        closes = [bar for bar in self.newest_days(symbol, now) if _time(bar) < today]
        return _number(closes[-1], "c") if closes else None

    def snapshot(self, symbol: str, now: int) -> dict[str, object] | None:
        """Return a symbol's snapshot as Alpaca's REST shows it, None for an unknown symbol.

        `now` is in nanoseconds: a minute's bar is shown once that minute is over, and before
        the opening the day's bar is still that of the last trading day.
        """
        known = self._known.get(symbol)
        if known is None:
            return None
        days: list[Message | None] = [None, None, *self.newest_days(symbol, now)]
        if not known.bars.days() and self._has_opened(now):
            days.append(None)  # there are only days before today
        return {
            "latestTrade": _latest(known.latest_trade()),
            "latestQuote": _without_names(known.quote),
            "minuteBar": _shown(self.newest_minute(symbol, now)),
            "dailyBar": _shown(days[-1]),
            "prevDailyBar": _shown(days[-2]),
        }

    def trades(self, symbol: str) -> list[Message]:
        """Return the newest trades, oldest first, as Alpaca's history keeps them.

        Void trades stay, with `u`: `canceled`; or `incorrect`, beside the `corrected` one.
        Source: docs.alpaca.markets/reference/stocktrades.
        """
        known = self._known.get(symbol)
        trades = () if known is None else (*known.void, *known.trades)
        return [_nameless(trade) for trade in sorted(trades, key=_time)]

    def day(self, symbol: str, midnight_at: int) -> Message | None:
        """Return the bar of a day since the first trade, None if there is none."""
        known = self._known.get(symbol)
        return None if known is None else known.bars.day(midnight_at)

    def daily_bars(self, symbol: str, now: int) -> list[Message]:
        """Return the bars of the known days, including today's, oldest first."""
        known = self._known.get(symbol)
        if known is None:
            return []
        before = self._history.days(symbol, self._anchor(known, now))
        return [*reversed(before), *known.bars.days()]

    def newest_days(self, symbol: str, now: int) -> list[Message]:
        """Return the newest daily bars, at least three if there are so many, oldest first."""
        known = self._known.get(symbol)
        if known is None:
            return []
        before = self._history.days(symbol, self._anchor(known, now), 2)
        return [*reversed(before), *known.bars.days()]

    def minute(self, symbol: str, start: int) -> Message | None:
        """Return the bar of a minute since the first trade, None if there is none."""
        known = self._known.get(symbol)
        return None if known is None else known.bars.minute(start)

    def is_given(self, symbol: str, start: int) -> bool:
        """Return whether the bar of a minute was published by hand, or is in the tape."""
        known = self._known.get(symbol)
        return known is not None and known.bars.is_given(start)

    def minutes(self, symbol: str, start: int, end: int, now: int) -> Iterator[Message]:
        """Yield the minute bars that start in a span (`end` excluded), oldest first.

        The running minute is not among them.
        """
        known = self._known.get(symbol)
        if known is None:
            return
        end = min(end, now - MINUTE + 1)
        if start < end:
            own = list(known.bars.minutes(start, end))
            starts = {bar["t"] for bar in own}
            before = self._history.minutes(symbol, self._anchor(known, now), start, end)
            bars = [*(bar for bar in before if bar["t"] not in starts), *own]
            yield from sorted(bars, key=_time)

    def folded(
        self, symbol: str, start: int, end: int, length: int, fold: Fold, now: int
    ) -> Sequence[Message]:
        """Return the bars of `length` ns of a span (`end` excluded), folded from its minutes.

        `fold` does it for a span that the trades have reached; the others are cached.
        """
        known = self._known.get(symbol)
        if known is None:
            return ()
        anchor = self._anchor(known, now)
        is_before = anchor.minute is not None and end <= min(anchor.minute, now - MINUTE + 1)
        if length > MINUTE and is_before and not any(known.bars.minutes(start, end)):
            return self._history.folded(symbol, anchor, start, end, length, fold)
        return list(fold(self.minutes(symbol, start, end, now)))

    def minute_bars(self, symbol: str, now: int) -> list[Message]:
        """Return the bars of the completed minutes since the first trade, oldest first."""
        known = self._known.get(symbol)
        return [] if known is None else list(known.bars.minutes(0, now - MINUTE + 1))

    def newest_minute(self, symbol: str, now: int) -> Message | None:
        """Return the newest bar of a minute that is over, None if there is none."""
        known = self._known.get(symbol)
        if known is None:
            return None
        newest = known.bars.newest_minute(now - MINUTE + 1)
        return newest or self._history.newest_minute(symbol, self._anchor(known, now))

    def _anchor(self, known: _Known, now: int) -> Anchor:
        bars, day = known.bars, known.bars.first_day
        if day is None:
            day = self.midnight(bars.begins or now)
        return Anchor(day, bars.begins, bars.first_price)

    def _touch(self, minute: int, symbol: str) -> None:
        touched = self._touched.get(minute)
        if touched is None:
            touched = self._touched[minute] = set()
            if len(self._touched) > _TOUCHED_MINUTES:
                del self._touched[min(self._touched)]
        touched.add(symbol)

    def _is_regular(self, time: int) -> bool:
        """Return whether a trade's time is within the regular session, or just after its close."""
        before = time - _CLOSING_SECONDS * SECOND
        return self._hours.is_open(_moment(time)) or self._hours.is_open(_moment(before))

    def _replace(self, symbol: str, was: Message | None, correction: Message | None) -> None:
        """Void a trade, replace it if it was corrected, and compute its bars again.

        A bar keeps its values if the prints of its minute are no longer stored.
        """
        new = None if was is None else _corrected(was, correction)
        if was is None or new is was:
            return
        known, time = self._known[symbol], _time(was)
        known.void.append({**was, "u": "canceled" if new is None else "incorrect"})
        trades = [new if one is was else one for one in known.trades]
        known.trades = deque((one for one in trades if one is not None), _REMEMBERED_TRADES)
        day, is_regular = self.midnight(time), self._is_regular(time)
        minute = known.bars.replace(was, new, time, day, is_regular=is_regular)
        if minute is not None:
            self._touch(minute, symbol)

    def _has_opened(self, now: int) -> bool:
        local = _moment(now).astimezone(self.zone)
        hours = self._hours.trading_day(local.date())
        return hours is not None and hours.open <= local.time()


def _find(
    trades: Sequence[Message], retraction: Message, id_: str, price: str, size: str
) -> Message | None:
    """Return the trade that a cancel or a correction means; the names are those of its keys."""
    number = retraction.get(id_)
    if number is None:
        return None
    exchange = retraction.get("x")
    found = [
        one
        for one in reversed(trades)
        if one.get("i") == number and exchange in (None, one.get("x"))
    ]
    # Ids repeat by day, and among the three facilities behind exchange D.
    for wanted, given in (("p", price), ("s", size)):
        same = [one for one in found if one.get(wanted) == retraction.get(given)]
        found = same or found
    return found[0] if found else None


def _corrected(trade: Message, correction: Message | None) -> Message | None:
    if correction is None:
        return None
    new = {"i": correction.get("ci"), "p": correction.get("cp"), "s": correction.get("cs")}
    corrected = {**trade, **new, "c": correction.get("cc", trade.get("c")), "u": "corrected"}
    return corrected if _is_whole(corrected) else trade


def _is_whole(trade: Message) -> bool:
    return all(isinstance(trade.get(name), int | float) for name in "ps")


def _is_bar(bar: Message) -> bool:
    return all(isinstance(bar.get(name), int | float) for name in "ohlcv")


def _number(message: Message, name: str) -> float:
    value = message[name]
    return value if isinstance(value, int | float) else 0


def _time(message: Message) -> int:
    time = message["t"]
    return time if isinstance(time, int) else 0


def _without_names(message: Message | None) -> dict[str, object] | None:
    return None if message is None else json_fields(_nameless(message))


def _nameless(message: Message) -> Message:
    return {key: value for key, value in message.items() if key not in ("T", "S")}


def _latest(trade: Message | None) -> dict[str, object] | None:
    """Return a trade as a snapshot shows it: `u` is in the history alone."""
    shown = _without_names(trade)
    return None if shown is None else {key: shown[key] for key in shown if key != "u"}


def _shown(bar: Message | None) -> dict[str, object] | None:
    return None if bar is None else json_fields(bar)


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC)
