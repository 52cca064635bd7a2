"""Daily bars: the day's trading so far as an event, and the closes of the days before it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from ingest.market.bars import Bar, Close
from ingest.market.market_hours import NEW_YORK
from shared import bar, rfc3339


def day_bar_event(day: Bar) -> bar.Bar:
    """Return a snapshot's daily bar as an event.

    Before a day's first trade it is the last day's; its ``timestamp`` shows that. It is not
    ``final``, since a snapshot does not state whether its day is over.
    """
    return bar.Bar(
        symbol=day.symbol,
        open=day.open,
        high=day.high,
        low=day.low,
        close=day.close,
        volume=day.volume,
        trade_count=day.trade_count,
        vwap=day.vwap,
        revision=0,
        final=False,
        timestamp=rfc3339.from_nanoseconds(day.at_ns),
    )


def previous_closes(closes: Mapping[str, Sequence[Close]], today: date) -> dict[str, float]:
    """Return each symbol's close of the last day before ``today``, New York's date.

    ``closes`` are those of daily bars, adjusted for splits, in any order. A symbol without an
    earlier day is absent.
    """
    found = {}
    for symbol, days in closes.items():
        earlier = [close for close in days if _new_york_date(close.at_ns) < today]
        if earlier:
            found[symbol] = max(earlier).price
    return found


def _new_york_date(at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(NEW_YORK).date()
