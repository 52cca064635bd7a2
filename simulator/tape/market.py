"""The market as replayed so far, per symbol: the newest trades, latest quote, bars.

Pure; the source of `GET /v2/stocks/` `snapshots`, `bars` and `trades`, and of the positions'
value. Trades of any condition count towards the bars; Alpaca excludes some conditions. Daily bars
count only trades while the market was open.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message, json_fields
from simulator.tape.bars import MINUTE, Bar, bar_fields
from simulator.tape.hours import EASTERN, MarketHours, midnight
from simulator.tape.recording import DailyBar

_REMEMBERED_TRADES: Final = 2000
_REMEMBERED_MINUTES: Final = 2000
"""The limit for each symbol; a day has 1440 minutes."""

_SEARCH_DAYS: Final = 30


@dataclass
class _Known:
    recorded_days: Sequence[DailyBar] = ()
    """The days before the first trade, oldest first."""

    quote: Message | None = None
    trades: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRADES))
    void: deque[Message] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_TRADES))
    """The trades that were cancelled or corrected, with their `u`."""

    minutes: dict[int, Bar] = field(default_factory=dict)
    days: dict[int, Bar] = field(default_factory=dict)

    def latest_trade(self) -> Message | None:
        # among several of the same time, the one that arrived last
        return max(reversed(self.trades), key=_time, default=None)


class Market:
    """The symbols of this run, each with its data."""

    def __init__(self, hours: MarketHours) -> None:
        self._hours = hours
        self._known: dict[str, _Known] = {}

    def expect(
        self, symbols: Iterable[str], recorded_days: Mapping[str, Sequence[DailyBar]]
    ) -> None:
        """Announce symbols, with the bars of the trading days before, oldest first."""
        for symbol in (*symbols, *recorded_days):
            self._known[symbol] = _Known(recorded_days.get(symbol, ()))

    def observe(self, message: Message) -> None:
        """Record a message that is being sent; one with invalid fields changes nothing."""
        symbol, time = message.get("S"), message.get("t")
        if not isinstance(symbol, str) or not isinstance(time, int):
            return
        known = self._known.setdefault(symbol, _Known())
        match message["T"]:
            case "q" if known.quote is None or time >= _time(known.quote):
                known.quote = message
            case "t" if _is_whole(message):
                known.trades.append(message)
                self._extend_bars(known, message)
            case "x":
                self._replace(known, _find(known.trades, message, "i", "p", "s"), None)
            case "c":
                self._replace(known, _find(known.trades, message, "oi", "op", "os"), message)

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is expected, or has had a message."""
        return symbol in self._known

    def quote(self, symbol: str) -> Message | None:
        """Return the latest quote, None before the first."""
        known = self._known.get(symbol)
        return None if known is None else known.quote

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade in dollars, None before the first."""
        known = self._known.get(symbol)
        trade = None if known is None else known.latest_trade()
        return None if trade is None else _number(trade, "p")

    def previous_close(self, symbol: str, now: int) -> float | None:
        """Return the previous close in dollars, None if it was not recorded."""
        today = midnight(now)
        closes = [bar["c"] for bar in self.daily_bars(symbol, now) if _time(bar) < today]
        return _number({"c": closes[-1]}, "c") if closes else None

    def snapshot(self, symbol: str, now: int) -> dict[str, object] | None:
        """Return a symbol's snapshot as Alpaca's REST shows it, None for an unknown symbol.

        `now` is in nanoseconds: a minute's bar is shown once that minute is over, and before
        the opening the day's bar is still that of the last trading day.
        """
        known = self._known.get(symbol)
        if known is None:
            return None
        minutes = [bar for start, bar in known.minutes.items() if start + MINUTE <= now]
        days: list[Message | None] = [None, None, *self.daily_bars(symbol, now)]
        if not known.days and self._has_opened(now):
            days.append(None)  # the recording has only days before today
        return {
            "latestTrade": _latest(known.latest_trade()),
            "latestQuote": _without_names(known.quote),
            "minuteBar": _shown(bar_fields(minutes[-1]) if minutes else None),
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

    def daily_bars(self, symbol: str, now: int) -> list[Message]:
        """Return the bars of the known days, including today's, oldest first."""
        known = self._known.get(symbol)
        if known is None:
            return []
        before = self._days_before(min(known.days, default=midnight(now)))
        recorded = [
            {"t": start, **_fields(bar)}
            for bar, start in zip(reversed(known.recorded_days), before, strict=False)
        ]
        return [*reversed(recorded), *(bar_fields(bar) for bar in known.days.values())]

    def minute_bars(self, symbol: str, now: int) -> list[Message]:
        """Return the bars of the completed minutes, oldest first."""
        known = self._known.get(symbol)
        minutes = {} if known is None else known.minutes
        return [bar_fields(bar) for start, bar in minutes.items() if start + MINUTE <= now]

    def _extend_bars(self, known: _Known, trade: Message) -> None:
        time, price, size = _time(trade), _number(trade, "p"), _number(trade, "s")
        minute = time // MINUTE * MINUTE
        if minute >= next(reversed(known.minutes), 0):  # the bar of a late print is complete
            known.minutes[minute] = Bar.joined(known.minutes.get(minute), minute, price, size)
            if len(known.minutes) > _REMEMBERED_MINUTES:
                del known.minutes[next(iter(known.minutes))]
        day = midnight(time)
        if day >= next(reversed(known.days), 0) and self._hours.is_open(_moment(time)):
            known.days[day] = Bar.joined(known.days.get(day), day, price, size)

    def _replace(self, known: _Known, was: Message | None, correction: Message | None) -> None:
        """Void a trade, replace it if it was corrected, and compute its bars again.

        A bar keeps its values if some of its trades are no longer stored.
        """
        new = None if was is None else _corrected(was, correction)
        if was is None or new is was:
            return
        known.void.append({**was, "u": "canceled" if new is None else "incorrect"})
        trades = [new if one is was else one for one in known.trades]
        counted = [_time(one) for one in known.trades]
        open_at = [at for at in counted if self._hours.is_open(_moment(at))]
        known.trades = deque((one for one in trades if one is not None), _REMEMBERED_TRADES)
        minute, day = _time(was) // MINUTE * MINUTE, midnight(_time(was))
        for bars, start, end, times in (
            (known.minutes, minute, minute + MINUTE, counted),
            (known.days, day, midnight(day + 36 * 3600 * SECOND), open_at),
        ):
            within = {at for at in times if start <= at < end}
            if start in bars and bars[start].count == sum(at in within for at in times):
                _count_again(bars, start, [one for one in known.trades if _time(one) in within])

    def _has_opened(self, now: int) -> bool:
        local = _moment(now).astimezone(EASTERN)
        hours = self._hours.trading_day(local.date())
        return hours is not None and hours.open <= local.time()

    def _days_before(self, start: int) -> Iterator[int]:
        """Yield the midnights of the trading days before one, nearest first."""
        day = _moment(start).astimezone(EASTERN).date()
        for days in range(1, _SEARCH_DAYS):
            before = day - timedelta(days=days)
            if self._hours.trading_day(before) is not None:
                yield _midnight_of(before)


def _count_again(bars: dict[int, Bar], start: int, trades: Iterable[Message]) -> None:
    bar = None
    for trade in trades:
        bar = Bar.joined(bar, start, _number(trade, "p"), _number(trade, "s"))
    if bar is None:
        del bars[start]
    else:
        bars[start] = bar


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


def _number(message: Message, name: str) -> float:
    value = message[name]
    return value if isinstance(value, int | float) else 0


def _time(message: Message) -> int:
    time = message["t"]
    return time if isinstance(time, int) else 0


def _fields(bar: DailyBar) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(bar)
    return fields


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


def _midnight_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=EASTERN).timestamp()) * SECOND
