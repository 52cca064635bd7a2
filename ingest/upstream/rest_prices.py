"""What REST says of a symbol, on its way to the clients."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.alpaca import messages as wire
from ingest.bus.announcer import Announcer
from ingest.demand.lookups import Reason
from ingest.demand.wanted import Demand
from ingest.market.day_bars import day_bar_of_snapshot
from ingest.market.last_price import LastPrices
from ingest.market.quotes import quote_of_snapshot
from ingest.market.symbol_states import SymbolStates
from ingest.upstream.tape import print_event
from shared import rfc3339
from shared.price import Price
from shared.symbol_status import SymbolStatus
from shared.topics import PRICE, QUOTE, TRADE, topic

HANDOVER_SECONDS = 10.0
"""Symbols that are new to this leader by then were watched under the one before."""

MISSED_NS = 5_000_000_000
"""A trade that REST knows for so long and the stream has not brought is a missed one."""


class RestPrices:
    """The ``Sink`` of ``Snapshots``."""

    def __init__(
        self,
        prices: LastPrices,
        states: SymbolStates,
        demand: Demand,
        announcer: Announcer,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prices = prices
        self._states = states
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self._began_us = clock() // 1000

    def restore(self, price: Price) -> bool:
        """Take a stored price; return whether it is an earlier leader's."""
        self._prices.restore(price)
        return price.received is None or price.received < self._began_us

    def restore_halt(self, status: SymbolStatus) -> None:
        """Take a halt that an earlier leader has published, but no old one of a new symbol."""
        if self._monotonic() - self._began < HANDOVER_SECONDS:
            self._states.restore_halt(status.symbol, status.reason)

    def catch_up(self, symbol: str, prints: Sequence[wire.Trade]) -> None:
        """Publish the last price that the prints make, and those that the tape has not shown.

        Live prints are not held back for it: a missed one comes after them, and its ``timestamp``
        tells.
        """
        now_us = self._clock() // 1000
        watched = self._demand.watches(topic(TRADE, symbol))
        completed = watched and self._announcer.recent.recalls(symbol)
        last = None
        for each in prints:
            last = self._prices.on_missed(each, now_us) or last
            if completed:
                eligible = self._prices.is_eligible(each, wire.nanoseconds(each.time))
                self._announcer.trade(print_event(each, now_us, eligible=eligible))
        if last is not None:
            self._announcer.price(last, traded=False)

    def missed(self, symbols: Sequence[str], since: float) -> None:
        """Announce that what these symbols may have missed since then (unix s) cannot be had."""
        topics = [topic(PRICE, symbol) for symbol in symbols]
        tapes = [topic(TRADE, symbol) for symbol in symbols]
        topics += [each for each in tapes if self._demand.watches(each)]
        start, end = rfc3339.from_unix(since), rfc3339.from_unix(self._clock() / 1e9)
        self._announcer.gap(topics, start, end, "upstream_lost")

    def take(
        self,
        symbol: str,
        snapshot: Mapping[str, Any] | None,
        previous_close: float | None,
        reason: Reason,
    ) -> float | None:
        """Publish what a snapshot says that is new.

        Returns since when, in unix seconds, the stream has kept something of the symbol from us,
        or None if it has not.

        Raises:
            ValueError: it has another form.
        """
        now = self._clock()
        heard = self._prices.timestamp_of(symbol)
        if snapshot is not None:
            self._announce_quote(symbol, snapshot, now, reason)
            day = day_bar_of_snapshot(symbol, snapshot)
            if day is not None and reason in (Reason.NEW, Reason.PREVIOUS_CLOSE):
                self._announcer.day_bar(day)
        last = self._prices.on_snapshot(symbol, snapshot, now // 1000, previous_close)
        if last is not None:
            self._announcer.price(last, traded=False)
        trade = None if snapshot is None else snapshot.get("latestTrade")
        return self._judge(symbol, trade, heard, now, reason) if trade else None

    def _announce_quote(
        self, symbol: str, snapshot: Mapping[str, Any], now: int, reason: Reason
    ) -> None:
        if reason is Reason.NEW or self._demand.watches(topic(QUOTE, symbol)):
            best = quote_of_snapshot(symbol, snapshot, now // 1000)
            if best is not None:
                self._announcer.quote(best)

    def _judge(
        self, symbol: str, trade: Mapping[str, Any], heard: int | None, now: int, reason: Reason
    ) -> float | None:
        """Say since when the stream keeps something of a symbol from us."""
        if reason is Reason.NEW:
            at = rfc3339.to_nanoseconds(trade["t"])
            self._states.on_known_trade(symbol, self._monotonic() - (now - at) / 1e9)
        if reason is not Reason.DOUBTFUL or heard is None:
            return None
        if heard < (self._prices.timestamp_of(symbol) or heard) < now - MISSED_NS:
            self._states.mark_stale(symbol)
            return heard / 1e9
        self._states.mark_fresh(symbol)
        return None
