"""Sessions of the market, from Alpaca's clock and calendar and from nothing else."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from shared import rfc3339
from shared.ingest_status import Session

NEW_YORK = ZoneInfo("America/New_York")
"""The calendar's times are New York's; its days decide, never this machine's weekday."""

_DEFAULT_EXTENDED = ("0400", "2000")


@dataclass(frozen=True)
class TradingDay:
    """The bounds of one day's sessions, in unix nanoseconds."""

    pre_open: int
    open: int
    close: int
    post_close: int

    def session_at(self, unix_ns: int) -> Session:
        """Return the session of a moment in this day."""
        if not self.pre_open <= unix_ns < self.post_close:
            return "closed"
        if unix_ns < self.open:
            return "pre"
        return "regular" if unix_ns < self.close else "post"


@dataclass(frozen=True)
class MarketClock:
    """Alpaca's answer to ``GET /v2/clock``; times in unix nanoseconds."""

    timestamp: int
    is_open: bool
    next_open: int
    next_close: int


class MarketHours:
    """Tells the session of any moment that the calendar covers; ``unknown`` for others."""

    def __init__(self, days: Iterable[TradingDay] = (), clock: MarketClock | None = None) -> None:
        self._days = sorted(days, key=lambda day: day.pre_open)
        self._starts = [day.pre_open for day in self._days]
        self._clock = clock
        self._latest: TradingDay | None = None

    def session_at(self, unix_ns: int) -> Session:
        """Return the session by the calendar, for a trade's own time."""
        latest = self._latest
        if latest is None or not latest.pre_open <= unix_ns < latest.post_close:
            index = bisect_right(self._starts, unix_ns) - 1
            if index < 0 or (
                index == len(self._days) - 1 and unix_ns >= self._days[index].post_close
            ):
                return "unknown"
            latest = self._latest = self._days[index]
        return latest.session_at(unix_ns)

    def session_now(self, unix_ns: int) -> Session:
        """Return the present session: the clock overrules the calendar on unplanned closures."""
        session = self.session_at(unix_ns)
        clock = self._clock
        if session == "regular" and clock is not None and not clock.is_open:
            return "closed" if clock.timestamp <= unix_ns < clock.next_open else session
        return session

    def next_open(self) -> str | None:
        """Return Alpaca's next opening."""
        return None if self._clock is None else rfc3339.from_nanoseconds(self._clock.next_open)

    def next_close(self) -> str | None:
        """Return Alpaca's next close."""
        return None if self._clock is None else rfc3339.from_nanoseconds(self._clock.next_close)

    def seconds_to_next_event(self, unix_ns: int) -> float:
        """Return the time until Alpaca's next opening or close, one second at the least."""
        if self._clock is None:
            return 1.0
        event = min(self._clock.next_open, self._clock.next_close)
        return max(1.0, (event - unix_ns) / 1e9)


def parse_day(row: Mapping[str, str]) -> TradingDay:
    """Read one row of ``GET /v2/calendar``.

    Raises:
        KeyError, ValueError: the row has another form.
    """
    day = date.fromisoformat(row["date"])
    extended = (
        row.get("session_open") or _DEFAULT_EXTENDED[0],
        row.get("session_close") or _DEFAULT_EXTENDED[1],
    )
    return TradingDay(
        pre_open=_moment(day, extended[0]),
        open=_moment(day, row["open"]),
        close=_moment(day, row["close"]),
        post_close=_moment(day, extended[1]),
    )


def parse_clock(answer: Mapping[str, object]) -> MarketClock:
    """Read the answer of ``GET /v2/clock``.

    Raises:
        KeyError, ValueError: it has another form.
    """
    return MarketClock(
        timestamp=rfc3339.to_nanoseconds(str(answer["timestamp"])),
        is_open=bool(answer["is_open"]),
        next_open=rfc3339.to_nanoseconds(str(answer["next_open"])),
        next_close=rfc3339.to_nanoseconds(str(answer["next_close"])),
    )


def _moment(day: date, text: str) -> int:
    digits = text.replace(":", "")
    at = datetime.combine(day, time(int(digits[:2]), int(digits[2:4])), NEW_YORK)
    return int(at.timestamp()) * 1_000_000_000
