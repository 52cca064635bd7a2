"""Prints that are hard to believe: outside the market's sessions, or far off the last price.

On Saturday 2021-04-10 a test session of Nasdaq's came through the consolidated feed unmarked, with
AAPL at $1.10. Its prints lie outside every session. Within sessions only the price can tell.
"""

from collections.abc import Sequence

from ingest.market.market_hours import MarketHours
from ingest.market.snapshot import NewestCloses
from ingest.market.tape_history import Entry
from ingest.market.trading_day import day_of

MINUTE_NS = 60 * 1_000_000_000

TOLERANCE_NS = 2 * MINUTE_NS
"""Closing prints are reported late."""

AHEAD_NS = MINUTE_NS
"""A print that is newer than now by more would make all that follow it late."""

FAR_OFF = 2
"""Limit up-limit down lets no price of $0.75 or more move by more than 40 % without a halt; only
a reopening, a split or a nearly worthless share goes beyond double or half."""

AGREEMENT = 1.1
WITNESSES = 3
PATIENCE = 10


def is_outside(hours: MarketHours, at: int) -> bool:
    """Return whether a moment (unix ns) is certainly outside all sessions."""
    return all(
        hours.session_at(moment) == "closed"
        for moment in (at, at - TOLERANCE_NS, at + TOLERANCE_NS)
    )


def is_far_off(price: float, reference: float) -> bool:
    """Return whether a price is more than the double or less than the half of another."""
    return price > FAR_OFF * reference or reference > FAR_OFF * price


def agree(one: float, other: float) -> bool:
    """Return whether two prices are of one level: within 10 % of each other."""
    return one <= AGREEMENT * other and other <= AGREEMENT * one


def still_held(held: Sequence[Entry], at: int) -> list[Entry]:
    """Return those that may bear witness for a print of this time: of its day, not of its future.

    ``at`` in unix ns.
    """
    day = day_of(at)
    return [each for each in held if day_of(each[0]) == day and each[0] <= at + AHEAD_NS]


def believed(held: Sequence[Entry]) -> list[Entry]:
    """Return the prints to believe, out of those held since the last price was last confirmed.

    Three that agree with the newest are a level. After ten the last price is surely wrong, however
    little they agree: a share that falls by 60 % is shown with its third print, and no symbol is
    locked out for more than ten.
    """
    newest = held[-1][2].price or 0.0
    level = [each for each in held if agree(each[2].price or 0.0, newest)]
    if len(level) >= WITNESSES:
        return level
    return list(held[-1:]) if len(held) >= PATIENCE else []


def confirmed(entry: Entry, closes: NewestCloses) -> bool | None:
    """Judge a held print by REST's newest bars; None where none of them reaches up to it yet."""
    at, price = entry[0], entry[2].price or 0.0
    minute, day = closes.minute, closes.day
    if minute is not None and minute.at_ns > at - MINUTE_NS:
        return agree(price, minute.price)
    if day is not None and day_of(day.at_ns) == day_of(at) and agree(price, day.price):
        return True
    return None
