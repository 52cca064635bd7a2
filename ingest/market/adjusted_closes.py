"""Daily closes adjusted for splits, and when to request them again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from ingest.market.bars import Close
from ingest.market.market_hours import NEW_YORK

READ_AT = (time(0), time(4), time(9, 30))
"""New York's times at which the closes are read: a new day has new ones. When Alpaca adjusts them
for a split of the day is not documented, so the pre-market's start and the open read them again."""

RESCALED = 0.02
"""The smallest stock dividends that count as splits are 5 %."""

_EPOCH = date(1970, 1, 1)


class AdjustedCloses:
    """One symbol's closes, in the shares of the day on which they were requested.

    Days are numbers by ``day_of``; ``requested_on`` is the first day that has no close yet.
    """

    __slots__ = ("_closes", "_requested_on")

    def __init__(self, by_day: Mapping[int, float], requested_on: int) -> None:
        self._closes = sorted(each for each in by_day.items() if each[0] < requested_on)
        self._requested_on = requested_on

    def of(self, day: int) -> float | None:
        """Return the close of a day; None if it is unknown."""
        return next((close for each, close in self._closes if each == day), None)

    def before(self, day: int) -> float | None:
        """Return the newest close before a day; None if that is unknown."""
        # A later day's previous close is one that these closes do not have yet.
        if day > self._requested_on:
            return None
        return next((close for each, close in reversed(self._closes) if each < day), None)

    def is_rescaled(self, earlier: "AdjustedCloses") -> bool:
        """Return whether the closes of the same days have another scale than in an earlier reading.

        A split has taken effect since then. A close that was corrected differs by less.
        """
        return are_rescaled(
            (was, close) for day, close in self._closes if (was := earlier.of(day)) is not None
        )


def are_rescaled(closes: Iterable[tuple[float, float]]) -> bool:
    """Return whether closes have another scale than in an earlier reading: a split came between.

    ``closes`` are those of the same spans, earlier and now. One that was corrected differs by less,
    or differs alone.
    """
    both = list(closes)
    return bool(both) and all(abs(now / was - 1) > RESCALED for was, now in both)


def adjusted_closes(
    closes: Mapping[str, Sequence[Close]], today: date
) -> dict[str, AdjustedCloses]:
    """Return each symbol's closes before ``today``, New York's date.

    ``closes`` are those of daily bars, adjusted for splits, in any order.
    """
    requested_on = (today - _EPOCH).days
    return {
        symbol: AdjustedCloses(
            {(_new_york_date(close.at_ns) - _EPOCH).days: close.price for close in days},
            requested_on,
        )
        for symbol, days in closes.items()
    }


def reading_at(unix_ns: int) -> tuple[date, time]:
    """Return New York's date at a moment, and the newest of ``READ_AT`` on that date."""
    now = datetime.fromtimestamp(unix_ns / 1e9, NEW_YORK)
    return now.date(), max(each for each in READ_AT if each <= now.time())


def seconds_to_reading(unix_ns: int) -> float:
    """Return the time from a moment until the next of ``READ_AT``, which is later."""
    now = datetime.fromtimestamp(unix_ns / 1e9, NEW_YORK)
    later = [each for each in READ_AT if each > now.time()]
    day = now.date() if later else now.date() + timedelta(days=1)
    reading = datetime.combine(day, min(later or READ_AT), NEW_YORK)
    return reading.timestamp() - unix_ns / 1e9


def _new_york_date(at_ns: int) -> date:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ns // 1_000_000_000)
    return moment.astimezone(NEW_YORK).date()
