"""Prints that are hard to believe: outside the market's sessions, or far off the last price.

On Saturday 2021-04-10 a test session of Nasdaq's came through the consolidated feed without a mark,
with AAPL at $1.10 (https://status.alpaca.markets/incidents/g1krlvk8x17m). Its prints were outside
every session. Within sessions only the price can show such an error.
"""

from collections.abc import Sequence

from ingest.market.clock_lead import AHEAD_NS
from ingest.market.market_hours import MarketHours
from ingest.market.snapshot import NewestCloses
from ingest.market.tape_entries import Entry
from ingest.market.trading_day import day_of

MINUTE_NS = 60 * 1_000_000_000

TOLERANCE_NS = 2 * MINUTE_NS
"""Exchanges report closing prints up to this time after the session."""

FAR_OFF = 2
"""Limit up-limit down (https://www.luldplan.com) allows no price of $0.75 or more to move by more
than 40 % without a halt. Only a reopening, a split or a nearly worthless share goes beyond double
or half."""

AGREEMENT = 1.1
WITNESSES = 3
PATIENCE = 10


def is_outside(hours: MarketHours, at_ns: int) -> bool:
    """Return whether a moment (unix ns) is certainly outside all sessions."""
    return all(
        hours.session_at(moment) == "closed"
        for moment in (at_ns, at_ns - TOLERANCE_NS, at_ns + TOLERANCE_NS)
    )


def is_far_off(price: float, reference: float) -> bool:
    """Return whether a price is more than the double or less than the half of another."""
    return price > FAR_OFF * reference or reference > FAR_OFF * price


def agree(one: float, other: float) -> bool:
    """Return whether two prices are of one level: within 10 % of each other."""
    return one <= AGREEMENT * other and other <= AGREEMENT * one


def still_quarantined(entries: Sequence[Entry], at_ns: int) -> list[Entry]:
    """Return the entries that can confirm a print of this time (unix ns).

    Those of another day cannot: a split or a night of news may lie between them. Those from its
    future have a wrong time.
    """
    day = day_of(at_ns)
    return [each for each in entries if each.day == day and each.at_ns <= at_ns + AHEAD_NS]


def believed(entries: Sequence[Entry]) -> list[Entry]:
    """Return the prints to believe, from those quarantined since the last price was confirmed.

    Three that agree with the newest are a level: a share that falls by 60 % is shown with its
    third print. After ten the last price is surely wrong, even if no three agree, so that a symbol
    is locked out for ten prints at most.
    """
    newest = entries[-1].price
    level = [each for each in entries if agree(each.price, newest)]
    if len(level) >= WITNESSES:
        return level
    return list(entries[-1:]) if len(entries) >= PATIENCE else []


def confirmed(entry: Entry, closes: NewestCloses) -> bool | None:
    """Return REST's verdict on a quarantined print; None if no bar reaches up to it yet."""
    minute, day = closes.minute, closes.day
    # The bar of the print's own minute, or of a later one, saw the level that the print claims.
    if minute is not None and minute.at_ns > entry.at_ns - MINUTE_NS:
        return agree(entry.price, minute.price)
    # The day's bar may end before the print: it can confirm its level but not refute it.
    if day is not None and day_of(day.at_ns) == entry.day and agree(entry.price, day.price):
        return True
    return None
