"""Bars that clients ask for and that Redis does not have: REST's, for any gateway."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_events import bar_event
from ingest.bars.history_window import history_start
from ingest.bars.stored_histories import is_over
from ingest.bars.timeframes import MINUTE_NS, SECOND_NS, Timeframe
from ingest.market.adjusted_closes import seconds_to_reading
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import TradingDays
from ingest.upstream import translation
from ingest.upstream.answered import LEAST_SECONDS, Answered, UnansweredError, failed
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.market_rest import BAR_TIMEFRAMES, MarketRest
from shared import bar, message
from shared.event_id import NEVER
from shared.markets import MarketName, market_of
from shared.request import (
    BARS_AT_MOST,
    SYMBOLS_AT_MOST,
    BarsReply,
    BarsRequest,
)

SYMBOLS_PER_REQUEST = 100

SETTLED_SECONDS, RECENT_SECONDS = 300.0, 5.0
"""How long a reply is valid: one whose bars change no more, and one with recent bars.

No reply outlives the next reading of the adjusted closes, which shows a split: the bars before it
have another scale then.
"""

SETTLED_NS = 20 * MINUTE_NS
"""After this time no plan gets another answer for a span."""

FIRST_BARS = 1_451_606_400
"""2016, in unix s: Alpaca has no earlier bars."""

WIDER = 4
"""If a span has fewer bars than were asked for, the next one is that much longer."""


class BarSource(NamedTuple):
    """The REST of a market. ``hours`` returns its newest calendar, ``days`` are its days."""

    rest: MarketRest
    hours: Callable[[], MarketHours]
    days: TradingDays


class OlderBars:
    """Asks REST within the half of its budget that polling may have: prices come first.

    ``sources`` are by market. ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        sources: Mapping[MarketName, BarSource],
        malformed: MalformedData,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sources = sources
        self._malformed = malformed
        self._clock = clock

    async def answer(self, asked: BarsRequest) -> Answered:
        """Return the reply to a request; a failure has its reason."""
        try:
            reply = await self._read(asked)
        except UnansweredError as error:
            return failed(error.code, str(error))
        except RestError as error:
            return failed("upstream_failed", f"Alpaca's REST did not return the bars: {error}")
        except Exception as error:
            # The boundary for the errors that no rule expects: one request ends no other work.
            self._malformed.note_escaped("bars of a request", error)
            return failed("upstream_failed", "the bars could not be read")
        is_settled = self._end(asked) * SECOND_NS < self._clock() - SETTLED_NS
        seconds = SETTLED_SECONDS if is_settled else RECENT_SECONDS
        seconds = min(seconds, seconds_to_reading(self._clock()))
        return Answered(reply, max(seconds, LEAST_SECONDS))

    async def _read(self, asked: BarsRequest) -> BarsReply:
        """Return the bars of a request.

        Raises:
            UnansweredError: the request asks for too much, or for something else.
            RestError: REST failed.
        """
        timeframe = _checked(asked)
        reply = BarsReply(bars={}, complete_from={})
        for source, symbols in self._by_source(asked.symbols):
            for begin in range(0, len(symbols), SYMBOLS_PER_REQUEST):
                some = symbols[begin : begin + SYMBOLS_PER_REQUEST]
                found = await self._newest(asked, timeframe, some, source)
                for symbol, (bars, since) in found.items():
                    stamped = partial(_stamped, timeframe, self._clock(), source.days)
                    reply.bars[symbol] = list(map(stamped, bars))
                    reply.complete_from[symbol] = since
        return reply

    def _by_source(self, symbols: Sequence[str]) -> list[tuple[BarSource, list[str]]]:
        """Return the symbols of each market that has bars.

        Raises:
            UnansweredError: a symbol is of no such market.
        """
        found: dict[MarketName, list[str]] = {}
        for symbol in symbols:
            market = market_of(symbol)
            if market is None or market.name not in self._sources:
                raise UnansweredError("unsupported", f"there are no bars of {symbol[:20]}")
            found.setdefault(market.name, []).append(symbol)
        return [(self._sources[name], each) for name, each in found.items()]

    async def _newest(
        self,
        asked: BarsRequest,
        timeframe: Timeframe,
        symbols: Sequence[str],
        source: BarSource,
    ) -> dict[str, tuple[list[Bar], int]]:
        """Return the newest bars of each symbol, and since when (unix s) they are all bars."""
        until = self._end(asked)
        earliest = datetime.fromtimestamp(max(asked.start or 0, FIRST_BARS), UTC)
        end = start = datetime.fromtimestamp(until, UTC)
        found: dict[str, tuple[list[Bar], int]] = {}
        waiting, count = list(symbols), asked.limit
        # A client may give a start of years ago, and REST sends the oldest rows first.
        while waiting:
            before = start
            start = history_start(timeframe, count, until * SECOND_NS, source.hours())
            start = max(start.astimezone(UTC), earliest)
            if start >= before:
                break
            rows = await self._rows(asked, waiting, start, end, source.rest)
            for symbol in waiting:
                bars = self._bars(symbol, rows.get(symbol, ()))
                newest = bars[-asked.limit :]
                is_cut = len(newest) < len(bars)
                since = newest[0].at_ns // SECOND_NS if is_cut else int(start.timestamp())
                found[symbol] = newest, since
            waiting = [each for each in waiting if len(found[each][0]) < asked.limit]
            count *= WIDER
        return found

    def _end(self, asked: BarsRequest) -> int:
        return self._clock() // 1_000_000_000 if asked.end is None else asked.end

    async def _rows(
        self,
        asked: BarsRequest,
        symbols: Sequence[str],
        start: datetime,
        end: datetime,
        rest: MarketRest,
    ) -> dict[str, list[Any]]:
        """Return all rows of a span.

        Raises:
            UnansweredError: they are too many.
            RestError: REST failed.
        """
        rows: dict[str, list[Any]] = {}
        waiting = list(symbols)
        while waiting:
            found = await rest.bars(waiting, asked.timeframe, start, end, adjusted=asked.adjustment)
            rows |= {s: each for s, each in found.rows.items() if s not in found.incomplete}
            if len(found.incomplete) == len(waiting):
                raise UnansweredError(
                    "too_many_rows",
                    f"{waiting[0]} has too many bars of {asked.timeframe} in this span: ask for a "
                    "shorter one",
                )
            waiting = sorted(found.incomplete)
        return rows

    def _bars(self, symbol: str, rows: Sequence[Any]) -> list[Bar]:
        where = f"bars of {symbol}"
        return translation.bars(symbol, rows, lambda text: self._malformed.note(where, text))


def _checked(asked: BarsRequest) -> Timeframe:
    """Return the timeframe of a request within the limits.

    Raises:
        UnansweredError: it is none of ours, or beyond a limit.
    """
    timeframe = next((each for each in bar.KINDS if each == asked.timeframe), None)
    if timeframe is None or timeframe not in BAR_TIMEFRAMES:
        raise UnansweredError("unsupported", f"there are no bars of {asked.timeframe[:20]}")
    count = len(asked.symbols)
    if not 0 < count <= SYMBOLS_AT_MOST or not 0 < asked.limit <= BARS_AT_MOST // count:
        raise UnansweredError(
            "too_many_rows",
            f"{count} symbols with {asked.limit} bars each: one request has up to "
            f"{SYMBOLS_AT_MOST} symbols and {BARS_AT_MOST} bars",
        )
    return timeframe


def _stamped(
    timeframe: Timeframe, now_ns: int, days: TradingDays, found: Bar
) -> tuple[int, msgspec.Raw]:
    """Return a row as an event, with its start in unix s; one that has not ended is running."""
    is_final = is_over(timeframe, found, now_ns, days)
    event = bar_event(BarChange(timeframe, found, final=is_final))
    return found.at_ns // SECOND_NS, msgspec.Raw(message.stamp(NEVER, bar.encode(event)))
