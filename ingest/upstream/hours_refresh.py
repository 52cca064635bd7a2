"""Keeping the market's hours: Alpaca's clock and calendar, asked again when they run out."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from ingest.market.market_hours import MarketHours, parse_clock, parse_day
from ingest.upstream.alpaca_rest import AlpacaRest, RestError

log = structlog.get_logger()

REFRESH_SECONDS = 600.0
RETRY_SECONDS = 5.0
DAYS_BACK, DAYS_AHEAD = 7, 14


class HoursRefresh:
    """Hands newly read ``MarketHours`` to ``take``."""

    def __init__(self, rest: AlpacaRest, take: Callable[[MarketHours], None]) -> None:
        self._rest = rest
        self._take = take
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
            await asyncio.sleep(min(REFRESH_SECONDS, hours.seconds_to_next_event(time.time_ns())))

    async def _read(self) -> MarketHours:
        today = datetime.now(UTC).date()
        rows = await self._rest.calendar(
            today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
        )
        clock = await self._rest.clock()
        try:
            return MarketHours([parse_day(row) for row in rows], parse_clock(clock))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RestError(f"an answer of another form: {error!r}") from error
