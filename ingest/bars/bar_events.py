"""Bars as events, and events as bars."""

from ingest.bars.bar_changes import BarChange
from ingest.bars.symbol_bars import Stored
from ingest.market.bars import Bar
from shared import bar, rfc3339


def bar_event(change: BarChange) -> bar.Bar:
    """Return a version of a bar as an event."""
    found = change.bar
    return bar.Bar(
        symbol=found.symbol,
        open=found.open,
        high=found.high,
        low=found.low,
        close=found.close,
        volume=found.volume,
        trade_count=found.trade_count,
        vwap=found.vwap,
        revision=change.revision,
        final=change.final,
        timestamp=rfc3339.from_nanoseconds(found.at_ns),
        late=change.late,
        partial=change.partial,
    )


def stored_version(event: bar.Bar) -> Stored:
    """Return an ended bar that was published.

    Raises:
        ValueError: its timestamp is none.
    """
    found = Bar(
        symbol=event.symbol,
        at_ns=rfc3339.start_to_nanoseconds(event.timestamp),
        open=event.open,
        high=event.high,
        low=event.low,
        close=event.close,
        volume=event.volume,
        trade_count=event.trade_count,
        vwap=event.vwap,
    )
    return Stored(found, event.revision, event.final)
