"""The day's trading so far as an event."""

from ingest.market.bars import Bar
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
