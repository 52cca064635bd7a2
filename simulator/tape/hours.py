"""The market's hours, behind `/v2/clock` and `/v2/calendar`.

All parts derive sessions from these two endpoints, not from the machine's weekday. By default the
simulator's market is always open. Pure: the time is an argument.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, Protocol, TypeAlias
from zoneinfo import ZoneInfo

EASTERN: Final = ZoneInfo("America/New_York")
_SEARCH_DAYS: Final = 30


@dataclass(frozen=True)
class TradingDay:
    """One line of the calendar; times are New York's wall clock.

    A close that is not after the opening is on the next day.
    """

    day: date
    open: time
    close: time
    session_open: time
    session_close: time


class MarketHours(Protocol):
    """The calendar of a market."""

    def trading_day(self, day: date) -> TradingDay | None:
        """Return the hours of a day, None if it has no trading."""

    def is_open(self, at: datetime) -> bool:
        """Return whether the market is open; `at` is time-zone aware."""


@dataclass(frozen=True)
class AlwaysOpen:
    """Every day from midnight to midnight, which the calendar shows as 00:00 to 23:59."""

    def trading_day(self, day: date) -> TradingDay:
        """Return the whole day."""
        return TradingDay(day, time(0), time(23, 59), time(0), time(23, 59))

    def is_open(self, at: datetime) -> bool:  # noqa: ARG002
        """Return whether the market is open: it always is."""
        return True


@dataclass(frozen=True)
class NyseHours:
    """Monday to Friday 09:30 to 16:00, except for the given days."""

    holidays: frozenset[date] = frozenset()
    early_closes: Mapping[date, time] = field(default_factory=dict)

    def trading_day(self, day: date) -> TradingDay | None:
        """Return the day's hours, extended hours from 04:00 to 20:00."""
        if day.isoweekday() > 5 or day in self.holidays:
            return None
        close = self.early_closes.get(day, time(16))
        return TradingDay(day, time(9, 30), close, time(4), time(20))

    def is_open(self, at: datetime) -> bool:
        """Return whether `at` is within a day's regular hours."""
        local = at.astimezone(EASTERN)
        hours = self.trading_day(local.date())
        return hours is not None and hours.open <= local.time() < hours.close


Session: TypeAlias = Literal["pre", "regular", "post", "closed"]

_DAYS_OF: Final[Mapping[Session, tuple[time, time, time, time]]] = {
    # opening, close, and those of the extended hours
    "pre": (time(23, 58), time(23, 59), time(0), time(23, 59)),
    "regular": (time(0), time(23, 59), time(0), time(23, 59)),
    "post": (time(0), time(0, 1), time(0), time(23, 59)),
    "closed": (time(23, 58), time(23, 59), time(23, 57), time(23, 59)),
}


@dataclass
class SwitchableHours:
    """A market in which every moment belongs to one session, in the clock and the calendar alike.

    The session may be changed at any time. The minutes around New York's midnight are an exception,
    because each day has to end. With `unplanned_closure` the clock reports a closed market,
    regardless of the calendar.
    """

    session: Session = "regular"
    unplanned_closure: bool = False

    def trading_day(self, day: date) -> TradingDay:
        """Return a day of which nearly all is one session."""
        return TradingDay(day, *_DAYS_OF[self.session])

    def is_open(self, at: datetime) -> bool:
        """Return whether the regular session is on."""
        hours = self.trading_day(at.astimezone(EASTERN).date())
        within = hours.open <= at.astimezone(EASTERN).time() < hours.close
        return within and not self.unplanned_closure


def clock(hours: MarketHours, now: datetime) -> dict[str, object]:
    """Return the body of `/v2/clock`; `now` is time-zone aware."""
    local = now.astimezone(EASTERN)
    return {
        "timestamp": local.isoformat(timespec="microseconds"),
        "is_open": hours.is_open(now),
        "next_open": _next(hours, local, "open"),
        "next_close": _next(hours, local, "close"),
    }


def calendar(hours: MarketHours, start: date, end: date) -> Iterator[dict[str, str]]:
    """Yield the lines of `/v2/calendar`, both ends included."""
    for ordinal in range(start.toordinal(), end.toordinal() + 1):
        trading = hours.trading_day(date.fromordinal(ordinal))
        if trading is not None:
            yield {
                "date": trading.day.isoformat(),
                "open": f"{trading.open:%H:%M}",
                "close": f"{trading.close:%H:%M}",
                "session_open": f"{trading.session_open:%H%M}",
                "session_close": f"{trading.session_close:%H%M}",
                "settlement_date": _settlement(hours, trading.day).isoformat(),
            }


def in_session(hours: MarketHours, at: datetime) -> bool:
    """Return whether `at` is within a day's hours, including the extended ones."""
    local = at.astimezone(EASTERN)
    day = hours.trading_day(local.date())
    is_extended = day is not None and day.session_open <= local.time() < day.session_close
    return is_extended or hours.is_open(at)


def midnight(nanoseconds: int, zone: ZoneInfo = EASTERN) -> int:
    """Return the midnight before a Unix time, in New York by default; both in nanoseconds."""
    local = datetime.fromtimestamp(nanoseconds // 1_000_000_000, zone)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(start.timestamp()) * 1_000_000_000


def _next(hours: MarketHours, local: datetime, edge: str) -> str | None:
    """Return the first opening or closing after a moment; None if there is none in a month."""
    for days in range(_SEARCH_DAYS):
        trading = hours.trading_day(local.date() + timedelta(days=days))
        if trading is None:
            continue
        wall = trading.open if edge == "open" else trading.close
        at = datetime.combine(trading.day, wall, EASTERN)
        if at > local:
            return at.isoformat()
    return None


def _settlement(hours: MarketHours, day: date) -> date:
    """Return the next trading day: US stocks settle one day after the trade."""
    for days in range(1, _SEARCH_DAYS):
        following = day + timedelta(days=days)
        if hours.trading_day(following) is not None:
            return following
    return day
