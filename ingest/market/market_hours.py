"""Sessions of the market, from Alpaca's clock and calendar alone.

The calendar has no rows for the overnight session. Alpaca's page on 24/5 trading
(https://docs.alpaca.markets/us/docs/245-trading) describes it: from 20:00 on the evening before a
trading day to 04:00, at full length before a half day, none before a holiday. Only Blue Ocean ATS
trades then, so only the feeds ``boats`` and ``overnight`` have it, and they have no other session.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared import rfc3339
from shared.ingest_status import Session

NEW_YORK = ZoneInfo("America/New_York")
"""The calendar's times are New York's; its days decide, never this machine's weekday."""

DAYTIME = frozenset[Session]({"pre", "regular", "post"})
REGULAR = frozenset[Session]({"regular"})
NIGHT = frozenset[Session]({"overnight"})
TRADES_IN: Mapping[str, frozenset[Session] | None] = MappingProxyType(
    {
        "iex": DAYTIME,
        "sip": DAYTIME,
        "delayed_sip": DAYTIME,
        "boats": NIGHT,
        "overnight": NIGHT,
        "test": None,
    }
)
"""The sessions in which each feed has data; None: at all times."""

_BEGINNING, _END = -(1 << 63), 1 << 63


@dataclass(frozen=True)
class TradingDay:
    """The bounds of one day's sessions, in unix nanoseconds."""

    overnight_open: int
    pre_open: int
    open: int
    close: int
    post_close: int


@dataclass(frozen=True)
class MarketClock:
    """Alpaca's answer to ``GET /v2/clock``; times in unix nanoseconds."""

    timestamp: int
    is_open: bool
    next_open: int
    next_close: int


class _Span(NamedTuple):
    begin: int
    end: int
    session: Session


class MarketHours:
    """Gives the session of any moment that the calendar covers; ``unknown`` for others.

    ``trades_in`` are the sessions that the feed has data in (``TRADES_IN``): at other times the
    market is ``closed`` for it. None is a feed that never stops: every moment is ``regular``.
    """

    def __init__(
        self,
        days: Iterable[TradingDay] = (),
        clock: MarketClock | None = None,
        trades_in: frozenset[Session] | None = DAYTIME,
    ) -> None:
        self._days = tuple(days)
        self._clock = clock
        self.never_stops = trades_in is None
        """Whether there are no sessions: it trades around the clock."""
        self._spans = list(_spans(self._days, trades_in))
        self._begins = [span.begin for span in self._spans]
        self._cached_span = self._spans[0]

    def within(self, trades_in: frozenset[Session]) -> "MarketHours":
        """Return the hours of a market that trades in these sessions of the same days."""
        return MarketHours(self._days, self._clock, trades_in)

    def session_at(self, unix_ns: int) -> Session:
        """Return the session by the calendar, for a trade's own time."""
        begin, end, session = self._cached_span
        if begin <= unix_ns < end:
            return session
        self._cached_span = self._spans[bisect_right(self._begins, unix_ns) - 1]
        return self._cached_span.session

    def session_now(self, unix_ns: int) -> Session:
        """Return the present session: the clock overrules the calendar on unplanned closures."""
        return "closed" if self.is_closed_unplanned(unix_ns) else self.session_at(unix_ns)

    def is_closed_unplanned(self, unix_ns: int) -> bool:
        """Return whether Alpaca's clock shows a closed market in the calendar's open hours.

        Exchanges may close on short notice, before the calendar has it.
        """
        clock = self._clock
        return (
            clock is not None
            and not clock.is_open
            and not self.never_stops
            and clock.timestamp <= unix_ns < clock.next_open
            and self.session_at(clock.timestamp) == "regular"
            and self.session_at(unix_ns) == "regular"
        )

    def last_close(self, begin_ns: int, end_ns: int) -> int | None:
        """Return when the last session that begins in a span of time ends; None if there is none.

        If the feed never stops or the calendar does not cover the span, there is none.
        """
        ends = (
            span.end
            for span in self._spans
            if begin_ns <= span.begin < end_ns and span.session not in ("closed", "unknown")
        )
        return max(ends, default=None)

    def next_open(self) -> str | None:
        """Return Alpaca's next opening."""
        return None if self._clock is None else rfc3339.from_nanoseconds(self._clock.next_open)

    def next_close(self) -> str | None:
        """Return Alpaca's next close."""
        return None if self._clock is None else rfc3339.from_nanoseconds(self._clock.next_close)

    def seconds_to_next_event(self, unix_ns: int) -> float:
        """Return the time until the session or the clock changes; infinite if neither is known."""
        events = [self._spans[bisect_right(self._begins, unix_ns) - 1].end]
        if self._clock is not None:
            events += [self._clock.next_open, self._clock.next_close]
        to_come = [event for event in events if unix_ns < event < _END]
        return (min(to_come) - unix_ns) / 1e9 if to_come else float("inf")


def _spans(days: Iterable[TradingDay], trades_in: frozenset[Session] | None) -> Iterator[_Span]:
    """Yield all of time in order and without gaps; two neighbours are never of one session."""
    if trades_in is None:
        yield _Span(_BEGINNING, _END, "regular")
        return
    latest = _Span(_BEGINNING, _BEGINNING, "unknown")
    for day in sorted(days, key=lambda day: day.pre_open):
        for span in _sessions_of(day):
            begin = max(span.begin, latest.end)
            if span.session not in trades_in or span.end <= begin:
                continue
            if begin == latest.end and span.session == latest.session:
                latest = latest._replace(end=span.end)
                continue
            yield from _filled(latest, begin)
            latest = _Span(begin, span.end, span.session)
    yield from _filled(latest, _END)


def _sessions_of(day: TradingDay) -> tuple[_Span, ...]:
    return (
        _Span(day.overnight_open, day.pre_open, "overnight"),
        _Span(day.pre_open, day.open, "pre"),
        _Span(day.open, day.close, "regular"),
        _Span(day.close, day.post_close, "post"),
    )


def _filled(span: _Span, until: int) -> Iterator[_Span]:
    """Yield a session and, up to the next one, a span that is closed or unknown."""
    is_outermost = span.begin == _BEGINNING or until == _END
    if span.begin < span.end:
        yield span
    if span.end < until:
        yield _Span(span.end, until, "unknown" if is_outermost else "closed")
