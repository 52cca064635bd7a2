"""Reads the market's hours, Alpaca's clock and calendar, again before they are outdated."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from ingest.alpaca.tolerant import ANOTHER_FORM, bounded
from ingest.market.market_hours import DAYTIME, MarketHours
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.hours_translation import market_clock, trading_day
from shared.ingest_status import Session

log = structlog.get_logger()

REFRESH_SECONDS = 600.0
HOURS_RETRY_SECONDS = 5.0
AFTER_EVENT_SECONDS = 2.0
"""The hours contain each opening and close; a reading after it checks that it took place."""

UNPLANNED_SECONDS = 30.0
"""The pause while the market is closed against its calendar: its opening is unknown."""

DAYS_BACK, DAYS_AHEAD = 7, 14


class HoursRefresh:
    """Passes newly read ``MarketHours`` to ``on_hours``; ``trades_in`` as in ``MarketHours``."""

    def __init__(
        self,
        rest: AlpacaRest,
        on_hours: Callable[[MarketHours], None],
        trades_in: frozenset[Session] | None = DAYTIME,
    ) -> None:
        self._rest = rest
        self._on_hours = on_hours
        self._trades_in = trades_in
        self._failing = False

    async def run(self) -> None:
        """Read until cancelled; while Alpaca does not answer, the last hours stay in force."""
        while True:
            try:
                hours = await self._read()
            except RestError as error:
                if not self._failing:
                    log.warning("market_hours_failed", error=str(error))
                self._failing = True
                await asyncio.sleep(HOURS_RETRY_SECONDS)
                continue
            self._failing = False
            self._on_hours(hours)
            await asyncio.sleep(pause_seconds(hours, time.time_ns()))

    async def _read(self) -> MarketHours:
        today = datetime.now(UTC).date()
        rows = await self._rest.calendar(
            today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
        )
        clock = await self._rest.clock()
        try:
            return hours_of(rows, clock, self._trades_in)
        except RestError as error:
            self._rest.malformed.note("hours", error)
            raise
        except Exception as error:
            # The boundary for the errors that no rule expects: the hours read before stay in use.
            self._rest.malformed.note_escaped("hours", error)
            raise RestError(f"hours that cannot be used: {bounded(repr(error))}") from error


def hours_of(
    rows: Sequence[Any], clock: Any, trades_in: frozenset[Session] | None = DAYTIME
) -> MarketHours:
    """Return the hours that the calendar's rows and the clock's answer state.

    Raises:
        RestError: one of them has another form. A day cannot be left out: it would look closed.
    """
    try:
        days = [trading_day(row) for row in rows]
        return MarketHours(days, market_clock(clock), trades_in)
    except ANOTHER_FORM as error:  # some days are beyond ``datetime``
        raise RestError(f"an answer of another form: {bounded(repr(error))}") from error


def pause_seconds(hours: MarketHours, unix_ns: int) -> float:
    """Return the seconds for which hours that were read now are valid."""
    if hours.is_closed_unplanned(unix_ns):
        return UNPLANNED_SECONDS
    return min(REFRESH_SECONDS, hours.seconds_to_next_event(unix_ns) + AFTER_EVENT_SECONDS)
