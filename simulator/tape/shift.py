"""When a round of a tape starts, so that its minutes stay minutes of the clock. Pure.

A bar is computed from the trades of a minute. A tape that is moved to now by a whole number of
minutes keeps its bars; one that is moved by whole days in New York keeps its sessions too. Neither
holds at a speed other than 1: a minute of the tape then is not a minute of the clock, and bars are
those of the moved times.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from simulator.protocol.rfc3339 import SECOND
from simulator.tape.bars import MINUTE
from simulator.tape.hours import EASTERN, MarketHours

Shift: TypeAlias = Literal["minutes", "days", "none"]
SHIFTS: Final[tuple[Shift, ...]] = ("minutes", "days", "none")

_SEARCH_DAYS: Final = 30


def first_start(shift: Shift, tape_start: int, span: int, now: int, hours: MarketHours) -> int:
    """Return the time at which the first row is due in the first round.

    It is past if the tape would otherwise have to wait: then the rows before now are published at
    once, with their times. `tape_start` is the recorded time of the first row, `span` the length of
    the tape, both in nanoseconds; `now` and the result are Unix nanoseconds.
    """
    if shift == "none":
        return now
    earliest = now - span if shift == "days" else now - min(span, MINUTE - 1)
    return next_start(shift, tape_start, earliest, hours)


def next_start(shift: Shift, tape_start: int, earliest: int, hours: MarketHours) -> int:
    """Return the first time from `earliest` on at which a round may start."""
    if shift == "none":
        return earliest
    if shift == "minutes":
        return earliest + (tape_start - earliest) % MINUTE
    wall = _local(tape_start)
    local = _local(earliest)
    rest = tape_start % SECOND
    for days in range(_SEARCH_DAYS):
        day = local.date() + timedelta(days=days)
        start = int(datetime.combine(day, wall.time(), EASTERN).timestamp()) * SECOND + rest
        if start >= earliest and hours.trading_day(day) is not None:
            return start
    return earliest


def _local(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).astimezone(EASTERN)
