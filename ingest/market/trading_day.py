"""Trading days as plain numbers, cheap enough for every print."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from shared.markets import CRYPTO, STOCKS

DAY_NS = 24 * 3600 * 1_000_000_000
HOUR_NS = 3600 * 1_000_000_000

_FIRST_DAY = date(1970, 1, 1).toordinal()


class TradingDays:
    """The days that begin at midnight in a zone, like those of Alpaca's daily bars.

    A bar of stocks has the time of New York's midnight, 04:00Z in summer and 05:00Z in winter, one
    of a pair that of Chicago's. Midnight has to be the start of an hour in UTC.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone: Final = zone
        self.day_of_hour: Final[Callable[[int], int]] = lru_cache(maxsize=4096)(self._day_of_hour)
        """Returns the number of the day of an hour, counted from the start of 1970 in UTC."""
        self.start_of: Final[Callable[[int], int]] = lru_cache(maxsize=256)(self._start_of)
        """Returns the start of a day in unix nanoseconds."""

    def day_of(self, unix_ns: int) -> int:
        """Return the number of the day that a moment belongs to, in days since 1970."""
        return self.day_of_hour(unix_ns // HOUR_NS)

    def _day_of_hour(self, hour: int) -> int:
        # A time before 1970 is the absence of one: ``datetime`` cannot express all of them.
        if hour < 0:
            return -1
        moment = datetime.fromtimestamp(hour * 3600, UTC)
        return moment.astimezone(self.zone).toordinal() - _FIRST_DAY

    def _start_of(self, day: int) -> int:
        midnight = datetime.combine(date.fromordinal(_FIRST_DAY + day), time(), self.zone)
        return int(midnight.timestamp()) * 1_000_000_000


STOCK_DAYS = TradingDays(STOCKS.day_zone)
PAIR_DAYS = TradingDays(CRYPTO.day_zone)

day_of = STOCK_DAYS.day_of
day_of_hour = STOCK_DAYS.day_of_hour
start_of = STOCK_DAYS.start_of
