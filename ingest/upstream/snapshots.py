"""REST look-ups: new symbols, missed trades, doubtful prices, and symbols without a slot.

Each look-up has three steps. It restores the values that an earlier leader published, so that no
price goes back. It fetches the trades that the stream did not bring. Then it applies Alpaca's
snapshot, with the daily bars for the previous close.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Protocol

import structlog

from ingest.demand.lookups import (
    SYMBOLS_PER_LOOKUP,
    WITH_QUOTE,
    Batch,
    Lookups,
    OpenGap,
    Reason,
)
from ingest.demand.polled_tapes import PolledTapes
from ingest.demand.wanted import Demand
from ingest.market.adjusted_closes import AdjustedCloses, reading_at
from ingest.market.snapshot import Snapshot
from ingest.market.stream_silence import PROBE_SECONDS
from ingest.upstream import translation
from ingest.upstream.asset_check import AssetCheck, AssetHandler
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.catch_up import CatchUp, MissedTradesHandler
from ingest.upstream.daily_closes import DailyCloses
from ingest.upstream.market_rest import MarketRest
from ingest.upstream.stored_values import PublishedBefore, StoredValues, StoredValuesHandler
from shared.bus.errors import BusError
from shared.topics import QUOTE, TRADE, topic

log = structlog.get_logger()

SCHEDULE_SECONDS = 1.0

CLOSES_SECONDS = 1.5
"""How long a first price waits for its previous close."""
CLOSES_RETRY_SECONDS = 60.0

BAD_REQUEST = 400


class RestHandler(MissedTradesHandler, AssetHandler, StoredValuesHandler, Protocol):
    """Applies REST's answers."""

    def take_contradicted(self) -> dict[str, int]:
        """Return, once, the symbols whose last price REST's snapshot does not show.

        The values are the times of the prints (unix ns).
        """

    def on_snapshot(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        adjusted: AdjustedCloses | None,
        reason: Reason,
        asked_at: float,
        /,
    ) -> None:
        """Apply a symbol's snapshot, None if REST has none; ``asked_at`` is monotonic seconds."""

    def on_unusable_snapshot(self, symbol: str) -> None:
        """Note that REST rejects a symbol, or that its snapshot has another form."""


class Snapshots:
    """Looks up the symbols that are due, at most 100 a request, within the budget.

    ``polled`` returns the symbols without a slot in the stream, ``withheld`` those whose trades the
    stream withholds, each with the time (unix s) since which they are missing. ``on_rescaled`` is
    called with a symbol whose split has taken effect. ``clock`` gives unix nanoseconds,
    ``monotonic`` seconds.
    """

    def __init__(
        self,
        rest: MarketRest,
        stored: PublishedBefore,
        demand: Demand,
        handler: RestHandler,
        *,
        polled: Callable[[], Sequence[str]],
        withheld: Callable[[], Mapping[str, float]],
        on_rescaled: Callable[[str], None] = lambda _: None,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.malformed = rest.malformed
        self._rest = rest
        self.stored = StoredValues(
            stored,
            demand,
            handler,
            self.open_gap,
            delay_seconds=rest.delay_seconds,
            clock=clock,
        )
        self._demand = demand
        self._handler = handler
        self._polled = polled
        self._withheld = withheld
        self._clock = clock
        self._monotonic = monotonic
        self._assets = AssetCheck(rest, handler, monotonic=monotonic)
        self._catch_up = CatchUp(rest, handler, clock=lambda: clock() / 1e9)
        self._lookups = Lookups(monotonic, rest.data_budget.polls_per_second)
        self._polled_tapes = PolledTapes()
        self._wake = asyncio.Event()
        self._closes = DailyCloses(rest, on_rescaled)
        self._failing_since: float | None = None
        self.error: str | None = None
        """The reason why REST fails at present; None while it works."""

    @property
    def failing_seconds(self) -> float:
        """The time for which REST has been failing; 0 while it works."""
        since = self._failing_since
        return 0.0 if since is None else self._monotonic() - since

    async def run(self) -> None:
        """Look up until cancelled; failed look-ups are repeated."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_on_demand())
            tasks.create_task(self._assets.run())
            while True:
                # Cleared before the schedule is read: a later request wakes it again.
                self._wake.clear()
                self._schedule()
                while (batch := self._lookups.take_due()) is not None:
                    tasks.create_task(self._look_up(batch))
                await self._wake.wait()

    def on_stream_lost(self, since: Mapping[str, float]) -> None:
        """Note that the stream is down, and since when (unix s) it lacks each symbol's trades."""
        self._lookups.on_stream_lost(since)

    def open_gap(self, symbol: str, since: float) -> None:
        """Fetch all trades since a time (unix s), as soon as the symbol is on the stream."""
        self._lookups.open_gap(symbol, since)
        self._wake.set()

    def on_listed(self, symbols: Set[str]) -> None:
        """Accept the symbols of the newest list of assets."""
        self._assets.on_listed(symbols)

    def on_subscribed(self, symbols: Set[str]) -> None:
        """Note all symbols on the stream; fetch the missed trades of those that are new on it."""
        self._lookups.on_subscribed(symbols)
        self._wake.set()

    def look_up(self, symbols: Iterable[str]) -> None:
        """Look up symbols whose last price is in doubt."""
        self._lookups.doubt(symbols)
        self._wake.set()

    def confirm(self, symbols: Iterable[str]) -> None:
        """Look up symbols of which the stream brings no trades."""
        self._lookups.confirm(symbols)
        self._wake.set()

    async def probe(self, symbols: Sequence[str]) -> dict[str, int] | None:
        """Return the exchange time (unix ns) of the newest trade of up to 100 symbols.

        Symbols without a trade are absent. Returns None if REST does not answer soon.
        """
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                found = await self._rest.snapshots(symbols[:SYMBOLS_PER_LOOKUP])
        except (RestError, TimeoutError):
            return None
        times = {}
        for symbol, snapshot in found.items():
            # One malformed row is no reason to believe that REST has failed: the other symbols
            # answer the question as well.
            try:
                traded_ns = translation.newest_trade_ns(snapshot)
            except ValueError as error:
                self.malformed.note(f"snapshot of {symbol}", error, snapshot)
                continue
            except Exception as error:
                # The boundary for the errors that no rule expects: the connection depends on it.
                self.malformed.note_escaped(f"snapshot of {symbol}", error)
                continue
            if traded_ns is not None:
                times[symbol] = traded_ns
        return times

    async def _wake_on_demand(self) -> None:
        while True:
            await self._demand.wait_for_change(SCHEDULE_SECONDS)
            self._wake.set()

    def _schedule(self) -> None:
        wanted = self._demand.symbols()
        due = reading_at(self._clock())
        if self._closes.follow(wanted, due):
            self._lookups.renew_closes()
        polled = self._polled()
        self._lookups.follow(wanted, polled, due[0])
        self._follow_polled_tapes(polled)
        self._lookups.repair({**self._polled_tapes.missing_since, **self._withheld()})
        self._assets.follow(wanted, due[0])
        for since, symbols in self._lookups.take_unrepairable().items():
            self._handler.on_unrepairable_gap(symbols, since)
            self._polled_tapes.on_fetched(symbols, self._clock() / 1e9)

    def _follow_polled_tapes(self, polled: Iterable[str]) -> None:
        lookups, tapes = self._lookups, self._polled_tapes
        # One symbol that REST rejects spoils the request for all: the snapshots find it first.
        only_polled = [s for s in polled if lookups.is_known(s) and not lookups.is_subscribed(s)]
        watched = [s for s in only_polled if self._demand.watches(topic(TRADE, s))]
        tapes.follow(watched, self._clock() / 1e9)
        for symbol, since in tapes.take_ended().items():
            lookups.open_gap(symbol, since)

    async def _look_up(self, batch: Batch) -> None:
        try:
            # In this order: the stored price bounds REST's, and missed trades come before the
            # snapshot, whose newest trade would make them late.
            await self.stored.restore(s for s, why in batch.reasons.items() if why is Reason.NEW)
            await self._catch_up_with(batch.gaps)
            await self._ask(batch)
            await self._check_contradicted()
        except BusError:
            # Without the stored price, REST's could be older than the one that clients show. The
            # lease reports that Redis is unreachable.
            self._lookups.failed(batch)
        except RestError as error:
            if self._failing_since is None:  # one line for an outage, not one for each batch
                log.warning(
                    "snapshot_failed",
                    message="REST fails; the look-ups are repeated until it works",
                    error=str(error),
                )
                self._failing_since = self._monotonic()
            self.error = str(error)
            self._lookups.failed(batch)
        else:
            self._failing_since = self.error = None
            self._lookups.done(batch)
        finally:
            self._wake.set()

    async def _catch_up_with(self, gaps: dict[str, OpenGap]) -> None:
        asked, asked_at = set(gaps), self._clock() / 1e9
        try:
            await self._catch_up.run(gaps)
        except RestError as error:  # the symbols left in ``gaps`` are scheduled again
            log.warning(
                "missed_trades_failed",
                message="REST did not return the missed trades; they are requested again",
                symbols=sorted(gaps),
                error=str(error),
            )
        self._polled_tapes.on_fetched(asked - gaps.keys(), asked_at)

    async def _check_contradicted(self) -> None:
        """Request the prints of last prices that REST's snapshots do not show.

        The prints may be withdrawn.
        """
        try:
            for symbol, at_ns in self._handler.take_contradicted().items():
                await self._catch_up.check(symbol, at_ns)
        except RestError as error:  # a later snapshot shows the same
            log.warning(
                "last_price_unchecked",
                message="REST did not return the print of a last price that it contradicts",
                error=str(error),
            )

    async def _ask(self, batch: Batch) -> None:
        without_close = sorted(s for s in batch.closes if not self._closes.is_read(s))
        # A client waits for a new symbol's first price; other look-ups can wait for REST.
        patience = CLOSES_SECONDS if Reason.NEW in batch.reasons.values() else None
        asked_at = self._monotonic()
        closes = asyncio.create_task(self._closes.read(without_close, patience))
        try:
            found = await self._found(list(batch.reasons), polling=batch.polling)
            learnt = await closes
        finally:
            # REST may have failed for the snapshots: no request for closes outlives its batch.
            closes.cancel()
            await asyncio.wait([closes])
        if not learnt:
            # One rejected symbol fails the request for all; the next one is made without it.
            has_rejected = any(self._lookups.is_rejected(symbol) for symbol in without_close)
            self._lookups.request_close(
                without_close, 0.0 if has_rejected else CLOSES_RETRY_SECONDS
            )
        self._apply(batch, found, asked_at)

    def _apply(self, batch: Batch, found: Mapping[str, Any], asked_at: float) -> None:
        """Apply the rows of an answer, by symbol."""
        for symbol, reason in batch.reasons.items():
            row = found.get(symbol)
            if row is None:  # one that is null, or absent, or rejected
                self._assets.ask(symbol)
            try:
                self._apply_row(symbol, row, reason, asked_at)
            except ValueError as error:
                self.malformed.note(f"snapshot of {symbol}", error, row)
                self._handler.on_unusable_snapshot(symbol)
            except Exception as error:
                # The boundary for the errors that no rule expects: one symbol costs no other.
                self.malformed.note_escaped(f"snapshot of {symbol}", error)
                self._handler.on_unusable_snapshot(symbol)

    def _apply_row(self, symbol: str, row: Any, reason: Reason, asked_at: float) -> None:
        """Apply a symbol's snapshot.

        Raises:
            ValueError: it has another form.
        """
        snapshot = None
        if row is not None:
            snapshot = translation.snapshot(
                symbol,
                row,
                with_quote=reason in WITH_QUOTE or self._demand.watches(topic(QUOTE, symbol)),
                on_problem=lambda problem: self.malformed.note(f"snapshot of {symbol}", problem),
            )
        close = self._closes.of(symbol)
        self._handler.on_snapshot(symbol, snapshot, close, reason, asked_at)
        # A rejection is no answer about the symbol's trades.
        if self._lookups.is_rejected(symbol):
            self._handler.on_unusable_snapshot(symbol)

    async def _found(self, symbols: list[str], *, polling: bool) -> dict[str, Any]:
        try:
            return await self._rest.snapshots(symbols, polling=polling)
        except RestError as error:
            if error.status != BAD_REQUEST:
                raise
        # Alpaca rejects a whole request for one symbol of an unknown form: halving finds it.
        if len(symbols) == 1:
            self._lookups.reject(symbols[0])
            return {}
        half = len(symbols) // 2
        first = await self._found(symbols[:half], polling=polling)
        return first | await self._found(symbols[half:], polling=polling)
