"""The delay of the feed `indicative`. Pure."""

from collections.abc import Sequence
from typing import Final

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Outgoing

DELAY: Final = 15 * 60 * SECOND
"""Its trades are fifteen minutes late, its quotes are not:
docs.alpaca.markets/docs/historical-option-data."""


def with_late_trades(messages: Sequence[Outgoing]) -> Sequence[Outgoing]:
    """Return messages as they come on that feed: a trade that is sent now is of then."""
    return [_late(each) if each.message["T"] == "t" else each for each in messages]


def _late(trade: Outgoing) -> Outgoing:
    time = trade.message["t"]
    return Outgoing({**trade.message, "t": time - DELAY}) if isinstance(time, int) else trade
