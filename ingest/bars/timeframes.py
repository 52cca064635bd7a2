"""Timeframes of bars and the clock's spans that they cover. Times are unix nanoseconds.

Bars of up to an hour are aligned to the clock of UTC, as Alpaca's are ("all the minute bars in the
given hour", https://forum.alpaca.markets/t/14632): the hour of 09:00 has the minutes before the
opening and those after it. New York's offset is whole hours, so these are New York's hours too, on
the days on which its clocks change as well. A day is New York's.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

Timeframe: TypeAlias = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
"""The name as it stands in a topic: ``bar.5Min:SPY``."""

MINUTE: Timeframe = "1Min"
DAY: Timeframe = "1Day"

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS

FOLDED: Mapping[Timeframe, int] = MappingProxyType(
    {"5Min": 5 * MINUTE_NS, "15Min": 15 * MINUTE_NS, "1Hour": 60 * MINUTE_NS}
)
"""The timeframes that are folded from minutes, and their spans in nanoseconds."""

BAR_WAIT_NS = 3 * SECOND_NS
"""How long after its end a minute's bar is awaited. Measured on ``v2/iex`` on 2026-09-15: p50
0.7 s, p99 1.15 s. A minute that has no eligible trade sends none."""

FINAL_AFTER_NS = 35 * SECOND_NS
"""How long after its end a bar may still change: a late trade's ``updatedBars`` came 28.6 to 29.8 s
after the bar (same measurement); the rest is a margin."""


def minute_of(at_ns: int) -> int:
    """Return the start of the minute of a moment."""
    return at_ns - at_ns % MINUTE_NS


def next_minute(at_ns: int) -> int:
    """Return the start of the first minute that begins at or after a moment."""
    return -(-at_ns // MINUTE_NS) * MINUTE_NS
