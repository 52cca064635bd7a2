"""The effect of REST's answers: prices, quotes, bars and states to publish."""

import time
from collections.abc import Callable, Sequence

import structlog

from ingest.demand.lookups import WITH_QUOTE, Reason
from ingest.demand.wanted import Demand
from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.last_price import LastPrices
from ingest.market.prints import Trade
from ingest.market.quarantine import is_outside
from ingest.market.quotes import Quote as StreamQuote
from ingest.market.quotes import has_both_sides, quote_event
from ingest.market.rest_prints import RestPrint
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_states import MAY_BE_HALTED_SECONDS, SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.upstream.announcements import Announcements
from ingest.upstream.missed_prints import MissedPrints
from shared import rfc3339
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import PRICE, QUOTE, TRADE, topic

log = structlog.get_logger()

HALT_HANDOVER_SECONDS = 10.0
"""A symbol that is new to this leader by then was watched under the leader before it."""


class RestPrices:
    """The ``RestHandler`` of ``Snapshots``; ``delay_ns`` is the delay of the feed.

    ``is_indicative``: its quotes are marked as derived.
    """

    def __init__(
        self,
        prices: LastPrices,
        states: SymbolStates,
        withheld: WithheldTrades,
        demand: Demand,
        announcer: Announcements,
        *,
        delay_ns: int = 0,
        is_indicative: bool = False,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delay_ns = delay_ns
        self._is_indicative = is_indicative
        self._prices = prices
        self._states = states
        self._withheld = withheld
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._monotonic = monotonic
        self._missed = MissedPrints(prices, demand, announcer, clock, delay_ns)
        self._began = monotonic()
        self._began_us = clock() // 1000

    def restore(self, price: Price) -> bool:
        """Apply a stored price; return whether an earlier leader published it."""
        self._prices.restore(price)
        return price.received is None or price.received < self._began_us

    def restore_quote(self, quote: Quote) -> None:
        """Accept a quote that an earlier leader published: REST's may be older."""
        self._announcer.quotes.add(quote)

    def restore_status(self, status: SymbolStatus) -> None:
        """Apply a status that an earlier leader published: its halt, unless that may be over.

        Statuses of a symbol that no client watched since then were not received.
        """
        halts = self._states.halts
        halts.restore_short_sales(status)
        if status.state == "halted" and self._monotonic() - self._began < HALT_HANDOVER_SECONDS:
            halts.restore_halt(status.symbol, status.reason)

    def withdrawable_since(self, symbol: str) -> float | None:
        """Return since when (unix s) withdrawn prints of a symbol are needed, if any are."""
        return self._missed.withdrawable_since(symbol)

    def on_missed_prints(self, symbol: str, prints: Sequence[RestPrint], since_ns: int) -> None:
        """Publish the last price that the prints make, and the events that the tape lacks."""
        self._missed.apply(symbol, prints, since_ns)
        if prints:
            self._withheld.on_fetched(symbol, since_ns, prints[-1].trade.at_ns)

    def take_contradicted(self) -> dict[str, int]:
        """Return, once, the symbols whose last price REST's snapshot does not show."""
        return self._missed.take_contradicted()

    def on_unrepairable_gap(self, symbols: Sequence[str], since: float) -> None:
        """Announce that trades of these symbols since a time (unix s) are lost."""
        for symbol in symbols:
            self._withheld.on_unrepairable(symbol)
        topics = [topic(PRICE, symbol) for symbol in symbols]
        tapes = [topic(TRADE, symbol) for symbol in symbols]
        topics += [each for each in tapes if self._demand.watches(each)]
        # The trades of a delayed feed are older than the loss by its delay.
        delay, now = self._delay_ns / 1e9, self._clock() / 1e9
        start, end = rfc3339.from_unix(since - delay), rfc3339.from_unix(now - delay)
        self._announcer.gap(topics, start, end, "upstream_lost")

    def on_snapshot(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        adjusted: AdjustedCloses | None,
        reason: Reason,
        asked_at: float,
    ) -> None:
        """Publish the new values of a snapshot, and compare it with the stream."""
        now_ns = self._clock()
        # The quote of a silent symbol shows whether it may be halted; clients need not watch it.
        is_shown = reason is not Reason.SILENT or self._demand.watches(topic(QUOTE, symbol))
        if snapshot is not None and snapshot.quote is not None and is_shown:
            now_us, waited_us = now_ns // 1000, int((self._monotonic() - asked_at) * 1e6)
            best = quote_event(snapshot.quote, now_us)
            if self._is_indicative:
                best.indicative = True
            self._announcer.rest_quote(best, now_us - waited_us)
        # Before the snapshot is applied: the comparison is with the stream alone.
        is_quoted = None
        if reason in WITH_QUOTE:
            quote = None if snapshot is None else snapshot.quote
            is_quoted = quote is not None and self._is_current(quote, now_ns)
        trade = None if snapshot is None else snapshot.trade
        self._compare(symbol, trade, now_ns, asked_at, is_quoted)
        last = self._prices.on_snapshot(symbol, snapshot, now_ns // 1000, adjusted)
        self._report_unconfirmed_split(symbol)
        if last is not None:
            self._announcer.price(last, traded=False)
        if snapshot is not None and snapshot.trade is not None:
            self._missed.compare(symbol, snapshot.trade.at_ns)

    def on_unusable_snapshot(self, symbol: str) -> None:
        """Note that REST cannot confirm the silence of a symbol."""
        self._states.on_unusable_answer(symbol)

    def on_asset(self, symbol: str, *, listed: bool) -> None:
        """Publish that Alpaca does not know a symbol, or that it does after all."""
        last = self._prices.on_asset(symbol, listed=listed)
        if last is not None:
            self._announcer.price(last, traded=False)

    def _is_current(self, best: StreamQuote, now_ns: int) -> bool:
        """Return whether a quote has both sides and is of the last moments."""
        age_ns = now_ns - self._delay_ns - best.at_ns
        return has_both_sides(best) and age_ns <= MAY_BE_HALTED_SECONDS * 1e9

    def _compare(
        self,
        symbol: str,
        trade: Trade | None,
        now_ns: int,
        asked_at: float,
        is_quoted: bool | None,
    ) -> None:
        """Compare REST's newest trade of a symbol with the stream's."""
        # REST shows a test print of the night, or one of a wrong clock, for hours. The tape does
        # not count such a print if the stream brings it.
        if trade is not None and is_outside(self._prices.hours, trade.at_ns):
            trade = None
        # Our own clock may be behind: the stream's time counts as well.
        latest_ns = max(now_ns, self._prices.newest_streamed_ns()) + AHEAD_NS
        if trade is not None and trade.at_ns > latest_ns:
            trade = None
        self._withheld.on_rest(symbol, None if trade is None else trade.at_ns, asked_at)
        monotonic = self._monotonic()
        traded_at = None
        if trade is not None:
            # On a delayed feed a trade is new if it is as old as the delay.
            age_ns = max(now_ns - self._delay_ns - trade.at_ns, 0)
            traded_at = monotonic - age_ns / 1e9
        self._states.on_rest_answer(symbol, asked_at, traded_at, is_quoted=is_quoted)

    def _report_unconfirmed_split(self, symbol: str) -> None:
        split = self._prices.take_unconfirmed_split(symbol)
        if split is not None:
            log.warning(
                "split_unconfirmed",
                message="REST's daily bars are adjusted for a split that the day's prices do not "
                "show; the unadjusted close counts",
                symbol=symbol,
                raw_close=split.raw_close,
                adjusted_close=split.adjusted_close,
                price=split.price,
            )
