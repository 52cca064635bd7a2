"""Prints and withdrawals that the stream did not bring, fetched by REST since a time."""

import asyncio
import time
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ingest.demand.lookups import OpenGap
from ingest.market.rest_prints import Fate, RestPrint
from ingest.upstream import translation
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.market_rest import MarketRest

OVERLAP_SECONDS = 2.0
"""A print's time is the exchange's, by its own clock, and it may have been on its way."""

PRECISION_SECONDS = 0.001
"""Requests have microseconds: a rounded time of a print must not leave out the print itself."""

CATCH_UP_SECONDS = 10.0
"""Limit for all pages of a request."""

AGES_SECONDS = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
"""Symbols whose prints are needed from much earlier are requested separately: one request goes back
to the earliest time of all its symbols. Quiet symbols go back to their last prints, and busy ones
would have too many rows for that time."""

PRINTS_AT_ONCE = 1000
"""After this number of prints live frames have their turn."""


class MissedTradesHandler(Protocol):
    """Applies the prints that REST brings after a loss."""

    def withdrawable_since(self, symbol: str) -> float | None:
        """Return since when (unix s) withdrawn prints of a symbol are needed, if any are."""

    def on_missed_prints(self, symbol: str, prints: Sequence[RestPrint], since_ns: int) -> None:
        """Apply prints in order of time; the stream may have brought some of them.

        Prints are missing since ``since_ns`` (unix ns). Older ones may be withdrawn.
        """

    def on_unrepairable_gap(self, symbols: Sequence[str], since: float) -> None:
        """Announce that REST cannot return all trades of these symbols since a time (unix s)."""


class CatchUp:
    """Fetches missed trades for a handler; ``clock`` gives unix seconds."""

    def __init__(
        self,
        rest: MarketRest,
        handler: MissedTradesHandler,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rest = rest
        self._handler = handler
        self._clock = clock

    async def run(self, gaps: dict[str, OpenGap]) -> None:
        """Catch up with each symbol, and remove it from ``gaps``.

        Raises:
            RestError: REST failed; the symbols that are left in ``gaps`` are not caught up.
        """
        now = self._clock()
        groups: dict[int, dict[str, float]] = defaultdict(dict)
        for symbol, (since, *_) in sorted(gaps.items()):
            start = self._start(symbol, since)
            groups[bisect(AGES_SECONDS, now - start)][symbol] = since
        for _, group in sorted(groups.items()):
            await self._catch_up(group)
            for symbol in group:
                del gaps[symbol]

    async def check(self, symbol: str, at_ns: int) -> None:
        """Apply REST's mark of a print, by its time (unix ns), if it has one.

        Raises:
            RestError: REST failed.
        """
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                rows = await self._rest.trades_around(symbol, at_ns / 1e9)
        except TimeoutError as error:
            raise RestError(f"no trades within {CATCH_UP_SECONDS:g} s") from error
        # No print is missing: only those that do not stand have an effect.
        await self._hand_on(symbol, rows, int(self._clock() * 1e9))

    def _start(self, symbol: str, since: float) -> float:
        """Return the time (unix s) from which a symbol's rows are needed."""
        withdrawable = self._handler.withdrawable_since(symbol)
        overlap = since - OVERLAP_SECONDS
        if withdrawable is None:
            return overlap
        # The prints of a delayed feed are older than the loss by its delay.
        return min(overlap, withdrawable - PRECISION_SECONDS + self._rest.delay_seconds)

    async def _catch_up(self, since: Mapping[str, float]) -> None:
        start = min(self._start(symbol, at) for symbol, at in since.items())
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                found = await self._rest.trades(list(since), start)
        except TimeoutError as error:
            raise RestError(f"no trades within {CATCH_UP_SECONDS:g} s") from error
        for symbol, at in since.items():
            since_ns = int((at - self._rest.delay_seconds) * 1e9)
            complete = await self._hand_on(symbol, found.rows.get(symbol, ()), since_ns)
            # The limit of pages may cut the answer: symbols at its end lack rows.
            if not complete or symbol in found.incomplete:
                self._handler.on_unrepairable_gap([symbol], at)

    async def _hand_on(self, symbol: str, rows: Sequence[Any], since_ns: int) -> bool:
        """Hand a symbol's rows on in parts; return whether all could be read and applied."""
        is_complete = True
        for index in range(0, len(rows), PRINTS_AT_ONCE):
            some = rows[index : index + PRINTS_AT_ONCE]
            prints = self._prints(symbol, some, since_ns)
            is_complete = is_complete and None not in prints
            readable = [each for each in prints if each is not None]
            try:
                self._handler.on_missed_prints(symbol, readable, since_ns)
            except Exception as error:
                # The boundary for the errors that no rule expects: these prints become a gap.
                self._rest.malformed.note_escaped(f"trades of {symbol}", error)
                is_complete = False
            await asyncio.sleep(0)
        return is_complete

    def _prints(self, symbol: str, rows: Iterable[Any], since_ns: int) -> list[RestPrint | None]:
        """Return the prints since a time and shortly before it, None for an unreadable row.

        Also all prints that do not stand as printed. A request starts at the earliest time of its
        symbols, so a row may be older than this symbol's.
        """
        start_ns, found = since_ns - int(OVERLAP_SECONDS * 1e9), list[RestPrint | None]()
        for row in rows:
            try:
                each = translation.print_of_row(symbol, row, self._note_field)
            except ValueError as error:  # it costs itself, and the others are applied
                self._rest.malformed.note(f"trade of {symbol}", error, row)
                found.append(None)
                continue
            except Exception as error:
                # The boundary for the errors that no rule expects: one row costs no other.
                self._rest.malformed.note_escaped(f"trade of {symbol}", error)
                found.append(None)
                continue
            if each is not None and (each.trade.at_ns >= start_ns or each.fate is not Fate.STANDS):
                found.append(each)
        return found

    def _note_field(self, problem: str) -> None:
        self._rest.malformed.note("trade", problem)
