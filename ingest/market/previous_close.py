"""The previous close of each trading day that matters, and the change against it.

Two sources give it: a snapshot's bars, which count the shares of their own day, and daily bars that
are adjusted for splits. If they differ, one of them is wrong about a split, or the split came later
than the price. The day's own price shows which close counts its shares.
"""

from collections.abc import Mapping
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.bars import Close
from ingest.market.snapshot import NewestCloses
from ingest.market.trading_day import STOCK_DAYS, TradingDays

APART = 1.2
"""Closes of one day that differ by more than this factor count different shares. Closes of one
exchange and of all of them differ by less, except in the thinnest stocks."""

# 40 digits are exact for any price of a market; a fraction that needs more has no meaning.
_DECIMAL = Context(prec=40, traps=[])
_DAYS_KEPT = 7
_MICRO = Decimal("0.000001")


class UnconfirmedSplit(NamedTuple):
    """A split of a trading day that the adjusted closes claim and the day's prices do not show."""

    day: int
    raw_close: float
    adjusted_close: float
    price: float


class Candidates(NamedTuple):
    """Two previous closes of one day that count different shares."""

    raw: float
    adjusted: float


class _DayPrices(NamedTuple):
    """A day's own prices: the first and the last known one."""

    first: float
    last: float


class PreviousCloses:
    """A symbol's previous closes by trading day; a price is compared with its day's.

    ``by_day`` lacks a day whose two closes contradict each other and that has no price yet:
    ``undecided`` has both, and ``choose`` the one that a price shows. ``days`` are the market's.
    """

    __slots__ = ("_reported_day", "_settled", "_unconfirmed", "by_day", "days", "undecided")

    def __init__(self, days: TradingDays = STOCK_DAYS) -> None:
        self.days = days
        self.by_day: dict[int, float] = {}
        self._settled: set[int] = set()
        """The days whose close no raw bar replaces."""
        self.undecided: dict[int, Candidates] = {}
        self._unconfirmed: UnconfirmedSplit | None = None
        self._reported_day = -1

    def learn(
        self,
        closes: NewestCloses,
        today: int,
        adjusted: AdjustedCloses | None = None,
        *,
        opened: float | None = None,
        shown: tuple[int, float] | None = None,
    ) -> None:
        """Learn from a snapshot's closes and from the adjusted closes, if the caller has them.

        ``today`` is a number of ``days``, ``opened`` the daily bar's first price, and ``shown``
        the last price with its day.
        """
        self._forget_before(today - _DAYS_KEPT)
        raw = _raw_closes(closes, today, self.days)
        prices: dict[int, _DayPrices] = {}
        if shown is not None:
            prices[shown[0]] = _DayPrices(shown[1], shown[1])
        # A price may fall by half during a day; its first one is next to the previous close.
        if closes.day is not None:
            prices[self.days.day_of(closes.day.at_ns)] = _DayPrices(
                opened or closes.day.price, closes.day.price
            )
        for day in {*raw, *prices, today}:
            self._learn_day(day, raw.get(day), prices.get(day), adjusted)

    def restore(self, day: int, close: float | None) -> None:
        """Apply the close that an earlier leader published, unless REST has given one."""
        # That leader may have had the adjusted close: only an adjusted one replaces it.
        if close is not None and day not in self.by_day:
            self._settle(day, close)

    def choose(self, day: int, price: float) -> float | None:
        """Return the previous close of a day that ``by_day`` lacks, as a price of the day shows it.

        None if no close is known.
        """
        candidates = self.undecided.get(day)
        return None if candidates is None else _in_shares_of(price, candidates)

    def take_unconfirmed_split(self) -> UnconfirmedSplit | None:
        """Return, once a day, the split that the prices do not show."""
        unconfirmed, self._unconfirmed = self._unconfirmed, None
        return unconfirmed

    def _learn_day(
        self,
        day: int,
        raw: Close | None,
        prices: _DayPrices | None,
        adjusted: AdjustedCloses | None,
    ) -> None:
        close = None if adjusted is None else adjusted.before(day)
        if adjusted is None or close is None or _is_in_old_shares(day, prices, adjusted):
            if raw is not None and day not in self._settled:
                self.by_day[day] = raw.price
            return
        if raw is None or not _claims_split(raw, adjusted):
            self._settle(day, close)
            return
        candidates = Candidates(raw.price, close)
        # Before the day's first print there is one sign of a split and nothing to compare with it.
        if prices is None:
            self.by_day.pop(day, None)
            self.undecided[day] = candidates
            return
        chosen = _in_shares_of(prices.first, candidates)
        self._settle(day, chosen)
        if chosen != close and day > self._reported_day:
            self._reported_day = day
            self._unconfirmed = UnconfirmedSplit(day, raw.price, close, prices.first)

    def _settle(self, day: int, close: float) -> None:
        self._settled.add(day)
        self.undecided.pop(day, None)
        self.by_day[day] = close

    def _forget_before(self, oldest: int) -> None:
        for days in (self.by_day, self.undecided):
            for day in [day for day in days if day < oldest]:
                del days[day]
        self._settled = {day for day in self._settled if day >= oldest}


def are_apart(one: float, other: float) -> bool:
    """Return whether two prices above zero count different shares: they differ by over 20 %."""
    return _ratio(one, other) > APART


@lru_cache(maxsize=1 << 14)
def change(price: float, previous_close: float) -> tuple[float, float | None]:
    """Return the change, and the change as a fraction of a previous close above zero.

    Both are computed in decimal and rounded once, the fraction to six places.
    """
    base = Decimal(str(previous_close))
    difference = _DECIMAL.subtract(Decimal(str(price)), base)
    fraction = _DECIMAL.quantize(_DECIMAL.divide(difference, base), _MICRO)
    return float(difference), None if fraction.is_nan() else float(fraction)


def _raw_closes(closes: NewestCloses, today: int, days: TradingDays) -> Mapping[int, Close]:
    """Return the previous closes that a snapshot's bars give, by the day that they precede."""
    raw: dict[int, Close] = {}
    day, previous = closes.day, closes.previous_day
    if day is None:
        return raw if previous is None else {today: previous}
    if previous is not None:
        raw[days.day_of(day.at_ns)] = previous
    # Before a day's first trade the daily bar is the last day's: its close is today's base.
    if days.day_of(day.at_ns) != today:
        raw[today] = day
    return raw


def _is_in_old_shares(day: int, prices: _DayPrices | None, adjusted: AdjustedCloses) -> bool:
    """Return whether a day's prices are from before a split that the adjusted closes include.

    On Monday morning after a weekend with a split, Friday's price is compared with Thursday's close
    in Friday's shares.
    """
    close = adjusted.of(day)
    return close is not None and prices is not None and are_apart(prices.last, close)


def _claims_split(raw: Close, adjusted: AdjustedCloses) -> bool:
    close = adjusted.of(STOCK_DAYS.day_of(raw.at_ns))
    return close is not None and are_apart(raw.price, close)


def _in_shares_of(price: float, candidates: Candidates) -> float:
    """Return the close that a price of the day is compared with.

    The adjusted one, unless the price is more than 20 % off it and nearer to the raw one: then no
    split happened (a spin-off entered as a split, https://forum.alpaca.markets/t/17839).
    """
    if not are_apart(price, candidates.adjusted):
        return candidates.adjusted
    is_raw = _ratio(price, candidates.raw) < _ratio(price, candidates.adjusted)
    return candidates.raw if is_raw else candidates.adjusted


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)
