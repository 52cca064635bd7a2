"""The previous close of each trading day that matters, and the change against it."""

from decimal import Context, Decimal
from functools import lru_cache

from ingest.market.prints import is_price
from ingest.market.snapshot import NewestCloses
from ingest.market.trading_day import day_of

# 40 digits are exact for any price of a market; a fraction that needs more has no meaning.
_DECIMAL = Context(prec=40, traps=[])
_DAYS_KEPT = 7
_MICRO = Decimal("0.000001")


class PreviousCloses:
    """A symbol's previous closes by trading day; a price is compared with its day's."""

    __slots__ = ("_given", "by_day")

    def __init__(self) -> None:
        self.by_day: dict[int, float] = {}
        self._given: set[int] = set()

    def learn(self, closes: NewestCloses, today: int, given: float | None) -> None:
        """Learn from a snapshot's closes, and from today's previous close if the caller has it.

        ``today`` is a number by ``day_of``. ``given`` is adjusted for splits, which the snapshot
        is not: no bar replaces it.
        """
        bar_day = None if closes.day is None else day_of(closes.day.at_ns)
        for day in [day for day in self.by_day if day < today - _DAYS_KEPT]:
            del self.by_day[day]
            self._given.discard(day)
        if bar_day is not None and closes.previous_day is not None:
            self._set(bar_day, closes.previous_day)
        if closes.day is not None and bar_day is not None and bar_day != today:
            # Before a day's first trade the daily bar is the last day's: its close is today's base.
            self._set(today, closes.day.price)
        elif closes.day is None and closes.previous_day is not None:
            self._set(today, closes.previous_day)
        if given is not None and is_price(given):
            self._given.add(today)
            self.by_day[today] = given

    def restore(self, day: int, close: float | None) -> None:
        """Apply the close that an earlier leader published, unless REST has given one."""
        if close is not None:
            self.by_day.setdefault(day, close)

    def _set(self, day: int, close: float) -> None:
        if day not in self._given:
            self.by_day[day] = close


@lru_cache(maxsize=1 << 14)
def change(price: float, previous_close: float) -> tuple[float, float | None]:
    """Return the change, and the change as a fraction of a previous close above zero.

    Both are computed in decimal and rounded once, the fraction to six places.
    """
    base = Decimal(str(previous_close))
    difference = _DECIMAL.subtract(Decimal(str(price)), base)
    fraction = _DECIMAL.quantize(_DECIMAL.divide(difference, base), _MICRO)
    return float(difference), None if fraction.is_nan() else float(fraction)
