"""Keeping the market's hours: Alpaca's clock and calendar, asked again before they are outdated."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from ingest.market.market_hours import DAYTIME, MarketHours, parse_clock, parse_day
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from shared.ingest_status import Session

log = structlog.get_logger()

REFRESH_SECONDS = 600.0
RETRY_SECONDS = 5.0
AFTER_EVENT_SECONDS = 2.0
"""An opening or a close needs no reading, the hours tell it; this asks whether it took place."""

UNPLANNED_SECONDS = 30.0
"""While the market is closed against its calendar nobody knows when it opens."""

DAYS_BACK, DAYS_AHEAD = 7, 14


class HoursRefresh:
    """Hands newly read ``MarketHours`` to ``take``; ``trades_in`` as ``MarketHours`` has it."""

    def __init__(
        self,
        rest: AlpacaRest,
        take: Callable[[MarketHours], None],
        trades_in: frozenset[Session] | None = DAYTIME,
    ) -> None:
        self._rest = rest
        self._take = take
        self._trades_in = trades_in
        self._failing = False

    async def run(self) -> None:
        """Read until cancelled; while Alpaca does not answer, what was read last stays."""
        while True:
            try:
                hours = await self._read()
            except RestError as error:
                if not self._failing:
                    log.warning("no market hours", error=str(error))
                self._failing = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._failing = False
            self._take(hours)
            await asyncio.sleep(pause_seconds(hours, time.time_ns()))

    async def _read(self) -> MarketHours:
        today = datetime.now(UTC).date()
        rows = await self._rest.calendar(
            today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
        )
        clock = await self._rest.clock()
        try:
            days = [parse_day(row) for row in rows]
            return MarketHours(days, parse_clock(clock), self._trades_in)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RestError(f"an answer of another form: {error!r}") from error


def pause_seconds(hours: MarketHours, unix_ns: int) -> float:
    """Return how long hours that were read now may be believed."""
    if hours.is_closed_unplanned(unix_ns):
        return UNPLANNED_SECONDS
    return min(REFRESH_SECONDS, hours.seconds_to_next_event(unix_ns) + AFTER_EVENT_SECONDS)
