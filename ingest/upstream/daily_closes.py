"""The closes of earlier days by REST's daily bars, read again at the times at which they change."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import date, time, timedelta

import structlog

from ingest.market.adjusted_closes import AdjustedCloses, adjusted_closes
from ingest.upstream import translation
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.market_rest import MarketRest

log = structlog.get_logger()

DAYS_BACK = 10
"""Enough for the longest row of days without trading."""


class DailyCloses:
    """The closes of the wanted symbols, adjusted for splits.

    ``on_rescaled`` is called with each symbol whose closes of earlier days have another scale than
    before: a split has taken effect.
    """

    def __init__(self, rest: MarketRest, on_rescaled: Callable[[str], None]) -> None:
        self._rest = rest
        self._on_rescaled = on_rescaled
        self._due: tuple[date, time] | None = None
        """The day and the time of day whose closes are to be read, by ``READ_AT``."""
        self._by_symbol: dict[str, AdjustedCloses] = {}
        self._read: set[str] = set()
        """The symbols whose closes have been read for ``_due``."""

    def of(self, symbol: str) -> AdjustedCloses | None:
        """Return the newest closes of a symbol; None if none have been read."""
        return self._by_symbol.get(symbol)

    def is_read(self, symbol: str) -> bool:
        """Return whether the closes of a symbol are those that are due."""
        return symbol in self._read

    def follow(self, wanted: Collection[str], due: tuple[date, time]) -> bool:
        """Accept the wanted symbols, and the day and the time of day whose closes are due.

        Returns whether those are others than before, so that every symbol is to be read again.
        """
        is_new = due != self._due
        if is_new:
            self._due = due
            # Until REST answers, the closes read earlier remain valid for the days that they cover.
            self._read.clear()
        # Symbols come and go all day: without this, their closes would add up.
        if len(self._by_symbol) > len(wanted):
            symbols = set(wanted)
            self._by_symbol = {s: each for s, each in self._by_symbol.items() if s in symbols}
            self._read &= self._by_symbol.keys()
        return is_new

    async def read(self, symbols: Sequence[str], seconds: float | None) -> bool:
        """Read the closes of symbols; return False if REST did not return them.

        ``seconds`` limits the time; None: REST's own limits do.
        """
        due = self._due
        if not symbols or due is None:
            return True
        today = due[0]
        first, last = today - timedelta(days=DAYS_BACK), today - timedelta(days=1)
        try:
            async with asyncio.timeout(seconds):
                bars = await self._rest.daily_bars(symbols, first, last)
            found = adjusted_closes(translation.closes(bars, self._note_bar), today)
        except (RestError, TimeoutError, TypeError, ValueError) as error:
            log.warning(
                "previous_close_failed",
                message="REST did not return the daily bars; they are requested again",
                error=repr(error)[:300],
            )
            return False
        except Exception as error:
            # The boundary for the errors that no rule expects: the closes read before stay in use.
            self._rest.malformed.note_escaped("bars", error)
            return False
        # Midnight may have passed meanwhile: the answer lacks the day that has ended.
        if due != self._due:
            return False
        # To have no bar, and so no close, is an answer.
        none = AdjustedCloses({}, 0)
        for symbol, closes in found.items():
            before = self._by_symbol.get(symbol)
            if before is not None and closes.is_rescaled(before):
                self._on_rescaled(symbol)
        self._by_symbol |= {symbol: found.get(symbol, none) for symbol in symbols}
        self._read.update(symbols)
        return True

    def _note_bar(self, problem: str) -> None:
        self._rest.malformed.note("bar", problem)
