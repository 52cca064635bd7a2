"""Trading days as plain numbers, cheap enough for every print."""

from datetime import UTC, date, datetime, time
from functools import lru_cache

from ingest.market.market_hours import NEW_YORK

DAY_NS = 24 * 3600 * 1_000_000_000
HOUR_NS = 3600 * 1_000_000_000

_FIRST_DAY = date(1970, 1, 1).toordinal()


def day_of(unix_ns: int) -> int:
    """Return the number of the trading day that a moment belongs to, in days since 1970.

    It is the day of New York's calendar, like that of Alpaca's daily bars: their time is New York's
    midnight, 04:00Z in summer and 05:00Z in winter.
    """
    return day_of_hour(unix_ns // HOUR_NS)


@lru_cache(maxsize=4096)
def day_of_hour(hour: int) -> int:
    """Return the number of the trading day of an hour, counted from the start of 1970 in UTC.

    New York's midnight is always the start of such an hour.
    """
    # A time before 1970 is the absence of one: ``datetime`` cannot express all of them.
    if hour < 0:
        return -1
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    return moment.astimezone(NEW_YORK).toordinal() - _FIRST_DAY


@lru_cache(maxsize=256)
def start_of(day: int) -> int:
    """Return the start of a trading day, New York's midnight, in unix nanoseconds."""
    midnight = datetime.combine(date.fromordinal(_FIRST_DAY + day), time(), NEW_YORK)
    return int(midnight.timestamp()) * 1_000_000_000
