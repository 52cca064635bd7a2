"""One symbol's newest values, as a REST answer gives them all at once."""

from typing import NamedTuple

from ingest.market.bars import Bar, Close
from ingest.market.prints import Trade
from ingest.market.quotes import Quote


class NewestCloses(NamedTuple):
    """The closes of the newest minute and daily bar, and of the daily bar before that one."""

    minute: Close | None = None
    day: Close | None = None
    previous_day: Close | None = None


class Snapshot(NamedTuple):
    """A value without a usable price is absent. ``day`` is the daily bar with all its values."""

    trade: Trade | None = None
    quote: Quote | None = None
    day: Bar | None = None
    closes: NewestCloses = NewestCloses()
