"""The times of bars as TradingView's library expects them."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.bar import Timeframe

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400

EARLIEST, LATEST = 0, 32_503_593_600
"""The range of times in which bars are looked for, unix s: the years from 1970 to 2999."""


def shown(timeframe: Timeframe, start: int, zone: ZoneInfo) -> int:
    """Return the time that the library expects of a bar; both in unix s.

    It names a day by midnight in UTC. Our day begins at midnight in ``zone``, and the library would
    place one of 05:00Z in winter elsewhere than one of 04:00Z in summer.
    """
    if timeframe != "1Day":
        return start
    day = datetime.fromtimestamp(start, zone).date()
    return int(datetime.combine(day, time(), UTC).timestamp())


def bound(timeframe: Timeframe, time_shown: int, zone: ZoneInfo) -> int:
    """Return the first start of a bar that is shown at a time or later; both in unix s."""
    time_shown = min(max(time_shown, EARLIEST), LATEST)
    if timeframe != "1Day":
        return time_shown
    day = (_EPOCH + timedelta(days=-(-time_shown // _DAY))).date()
    return int(datetime.combine(day, time(), zone).timestamp())
