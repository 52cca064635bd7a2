"""REST look-ups: a price at once for a new symbol, what was missed, and who has no slot.

First what an earlier leader has published, so that no price goes back; then the prints that the
stream has not brought; then Alpaca's snapshot, with the daily bars for the previous close.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

import structlog

from ingest.bus.stored_prices import StoredPrices
from ingest.demand.lookups import SYMBOLS_PER_LOOKUP, Batch, Lookups, Reason
from ingest.demand.wanted import Demand
from ingest.upstream import catch_up
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from ingest.upstream.catch_up import CatchUp
from shared import rfc3339
from shared.bus.errors import BusError
from shared.price import Price
from shared.symbol_status import SymbolStatus

log = structlog.get_logger()

LOOK_SECONDS = 1.0
PROBE_SECONDS = 4.0

CLOSES_SECONDS = 1.5
"""How long a first price waits for its previous close."""
CLOSES_RETRY_SECONDS = 60.0
DAYS_BACK = 10
"""Enough for the longest row of days without trading."""

HANDOVER_SECONDS = 300.0
"""A price that an earlier leader published not longer ago: it had the symbol until then."""

BAD_REQUEST = 400

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)

_NEW_YORK = ZoneInfo("America/New_York")

Snapshot: TypeAlias = Mapping[str, Any]

PreviousCloses: TypeAlias = Callable[[Mapping[str, Any], date], Mapping[str, float]]
"""Daily bars by symbol, and today in New York → previous closes in dollars."""


class Sink(catch_up.Sink, Protocol):
    """Who hears what REST says."""

    def restore(self, price: Price) -> bool:
        """Take a stored price; return whether it is an earlier leader's."""

    def restore_halt(self, status: SymbolStatus) -> None:
        """Take a halt that an earlier leader has published."""

    def take(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        previous_close: float | None,
        reason: Reason,
    ) -> float | None:
        """Take a symbol's snapshot, None where Alpaca does not know the symbol.

        Returns since when, in unix seconds, the stream has not brought all, or None if it has.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ArithmeticError: it has another form.
        """


class Snapshots:
    """Looks up whatever is due, at most 100 symbols a request, within the budget.

    ``polled`` tells the symbols without a slot in the stream; ``clock`` gives unix nanoseconds,
    ``monotonic`` seconds.
    """

    def __init__(
        self,
        rest: AlpacaRest,
        stored: StoredPrices,
        demand: Demand,
        sink: Sink,
        *,
        polled: Callable[[], Sequence[str]],
        previous_closes: PreviousCloses,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._stored = stored
        self._demand = demand
        self._sink = sink
        self._polled = polled
        self._previous_closes = previous_closes
        self._clock = clock
        self._monotonic = monotonic
        self._catch_up = CatchUp(rest, sink, clock=lambda: clock() / 1e9)
        self._lookups = Lookups(monotonic, rest.data_budget.polls_per_second)
        self._wake = asyncio.Event()
        self._today: date | None = None
        self._closes: dict[str, float | None] = {}
        self._failing_since: float | None = None
        self.error: str | None = None
        """Why REST fails at present; None while it does not."""

    @property
    def failing_seconds(self) -> float:
        """For how long REST has been failing."""
        since = self._failing_since
        return 0.0 if since is None else self._monotonic() - since

    async def run(self) -> None:
        """Look up until cancelled; what failed is asked again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear_demand())
            while True:
                self._wake.clear()
                self._schedule()
                while (batch := self._lookups.take_due()) is not None:
                    tasks.create_task(self._look_up(batch))
                await self._wake.wait()

    def lost(self, since: Mapping[str, float]) -> None:
        """Note that the stream brings nothing more, of each symbol since a time (unix s)."""
        self._lookups.on_stream_lost(since)

    def miss(self, symbol: str, since: float) -> None:
        """Look up all prints since a time (unix s), as soon as the stream brings the symbol."""
        self._lookups.open_gap(symbol, since)
        self._wake.set()

    def subscribed(self, symbols: Set[str]) -> None:
        """Look up what those of these symbols have missed that were not on the stream before."""
        self._lookups.on_subscribed(symbols)
        self._wake.set()

    def look_up(self, symbols: Iterable[str]) -> None:
        """Look up symbols whose last price is in doubt."""
        self._lookups.doubt(symbols)
        self._wake.set()

    async def probe(self, symbols: Sequence[str]) -> dict[str, int] | None:
        """Return the exchange time (unix ns) of the newest trade of up to 100 symbols.

        Symbols that have none are left out; None if REST does not answer soon.
        """
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                found = await self._rest.snapshots(symbols[:SYMBOLS_PER_LOOKUP])
        except (RestError, TimeoutError):
            return None
        times = {}
        for symbol, snapshot in found.items():
            try:
                times[symbol] = rfc3339.to_nanoseconds(snapshot["latestTrade"]["t"])
            except MALFORMED:
                continue
        return times

    async def _hear_demand(self) -> None:
        while True:
            await self._demand.wait_for_change(LOOK_SECONDS)
            self._wake.set()

    def _schedule(self) -> None:
        wanted = [want.symbol for want in self._demand.wanted()]
        today = datetime.fromtimestamp(self._clock() / 1e9, _NEW_YORK).date()
        if today != self._today:
            self._today = today
            self._closes.clear()
        if len(self._closes) > len(wanted):
            self._closes = {s: close for s, close in self._closes.items() if s in set(wanted)}
        self._lookups.follow(wanted, self._polled(), today)
        for since, symbols in self._lookups.take_unrepairable().items():
            self._sink.missed(symbols, since)

    async def _look_up(self, batch: Batch) -> None:
        try:
            await self._restore([s for s, why in batch.reasons.items() if why is Reason.NEW])
            await self._catch_up_with(batch)
            await self._ask(batch)
        except BusError:  # the lease reports the loss; an older price must not be published
            self._lookups.failed(batch)
        except RestError as error:
            if self._failing_since is None:
                log.warning("no snapshots", error=str(error))
                self._failing_since = self._monotonic()
            self.error = str(error)
            self._lookups.failed(batch)
        else:
            self._failing_since = self.error = None
            self._lookups.done(batch)
        finally:
            self._wake.set()

    async def _restore(self, symbols: list[str]) -> None:
        if symbols:
            for status in await self._stored.halts(symbols):
                self._sink.restore_halt(status)
            recent = self._clock() / 1e9 - HANDOVER_SECONDS
            for price in await self._stored.read(symbols):
                traded_at = _unix(price.timestamp)
                if self._sink.restore(price) and traded_at is not None and traded_at > recent:
                    self.miss(price.symbol, traded_at)

    async def _catch_up_with(self, batch: Batch) -> None:
        try:
            await self._catch_up.run(batch.gaps)
        except RestError as error:  # what is left will be asked for again
            log.warning("no missed trades", symbols=sorted(batch.gaps), error=str(error))

    async def _ask(self, batch: Batch) -> None:
        lacking = [
            symbol
            for symbol, reason in batch.reasons.items()
            if reason in (Reason.NEW, Reason.PREVIOUS_CLOSE) and symbol not in self._closes
        ]
        patience = CLOSES_SECONDS if Reason.NEW in batch.reasons.values() else None
        closes = asyncio.create_task(self._learn_closes(lacking, patience))
        try:
            found = await self._found(list(batch.reasons), polling=batch.polling)
            learnt = await closes
        finally:
            closes.cancel()
            await asyncio.wait([closes])
        if not learnt:
            spoilt = any(self._lookups.is_rejected(symbol) for symbol in lacking)
            self._lookups.request_close(lacking, 0.0 if spoilt else CLOSES_RETRY_SECONDS)
        for symbol, reason in batch.reasons.items():
            try:
                close = self._closes.get(symbol)
                behind_since = self._sink.take(symbol, found.get(symbol), close, reason)
            except MALFORMED as error:
                log.warning("malformed snapshot", symbol=symbol, error=repr(error))
                continue
            if behind_since is not None:
                self.miss(symbol, behind_since)

    async def _found(self, symbols: list[str], *, polling: bool) -> dict[str, Any]:
        try:
            return await self._rest.snapshots(symbols, polling=polling)
        except RestError as error:
            if error.status != BAD_REQUEST:
                raise
        if len(symbols) == 1:
            self._lookups.reject(symbols[0])
            return {}
        half = len(symbols) // 2  # one symbol spoils it for all
        first = await self._found(symbols[:half], polling=polling)
        return first | await self._found(symbols[half:], polling=polling)

    async def _learn_closes(self, symbols: list[str], seconds: float | None) -> bool:
        today = self._today
        if not symbols or today is None:
            return True
        first, last = today - timedelta(days=DAYS_BACK), today - timedelta(days=1)
        try:
            async with asyncio.timeout(seconds):
                bars = await self._rest.daily_bars(symbols, first, last)
            found = self._previous_closes(bars, today)
        except (RestError, TimeoutError, *MALFORMED) as error:
            log.warning("no previous closes", error=repr(error)[:300])
            return False
        if today == self._today:
            self._closes |= {symbol: found.get(symbol) for symbol in symbols}
        return True


def _unix(timestamp: str | None) -> float | None:
    return None if timestamp is None else rfc3339.to_nanoseconds(timestamp) / 1e9
