"""The rules of the tapes of pairs and options: the newest trade is the last price.

Alpaca sends no cancels and corrections of them, and they have no splits
(https://docs.alpaca.markets/docs/real-time-crypto-pricing-data,
https://docs.alpaca.markets/docs/real-time-option-data).
"""

from dataclasses import dataclass
from functools import partial

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.previous_close import PreviousCloses, UnconfirmedSplit
from ingest.market.price_events import PriceEvents
from ingest.market.prints import (
    Cancel,
    Correction,
    StreamedPrint,
    Trade,
    is_price,
    is_size,
    print_of,
)
from ingest.market.quarantine import agree, is_far_off
from ingest.market.snapshot import Snapshot
from ingest.market.tape_context import TapeContext
from ingest.market.trading_day import PAIR_DAYS, STOCK_DAYS, TradingDays
from shared import rfc3339
from shared.price import Price

_END_OF_TIME_NS = 1 << 63


@dataclass(frozen=True)
class PlainRules:
    """What distinguishes a market's tapes.

    ``excluded``: conditions that exclude a trade from the last price. ``doubts_jumps``: a price of
    more than the double or less than the half of the last one waits until another trade or REST
    shows the same level: one malformed message must not show as a crash.
    """

    days: TradingDays
    excluded: frozenset[str] = frozenset()
    doubts_jumps: bool = False


PAIR_RULES = PlainRules(PAIR_DAYS, doubts_jumps=True)

OPTION_RULES = PlainRules(STOCK_DAYS, excluded=frozenset("ABCDEFGtu"))
"""``A C E G`` mark cancelled prints, ``B D F`` late or out of sequence ones; ``t`` and ``u`` count
for the volume alone. Source: the table for options in Alpaca's market data FAQ
(https://docs.alpaca.markets/us/docs/market-data-faq)."""


class PlainTape:
    """One symbol's last price (see ``Tape``). Times are unix ns, -1 for none."""

    __slots__ = (
        "_at_ns",
        "_closes",
        "_context",
        "_events",
        "_id",
        "_is_rests",
        "_needs_lookup",
        "_price",
        "_rest_newest_ns",
        "_rules",
        "_symbol",
        "_waiting",
        "streamed_ns",
        "traded_at",
    )

    def __init__(self, symbol: str, context: TapeContext, *, rules: PlainRules) -> None:
        self._rules = rules
        self.streamed_ns = -1
        self.traded_at: float | None = None
        self._rest_newest_ns = -1
        self._symbol = symbol
        self._context = context
        self._closes = PreviousCloses(rules.days)
        self._events = PriceEvents(symbol, self._closes, is_delayed=context.is_delayed)
        self._at_ns, self._price = -1, 0.0
        """The time and the price of the last price."""
        self._id: int | str | None = None
        self._is_rests = False
        """Whether REST or Redis brought the last price, and the stream has not yet."""
        self._waiting: Trade | None = None
        """A trade far off the last price, until a second sign confirms or refutes it."""
        self._needs_lookup = False

    @property
    def published(self) -> Price | None:
        """The newest event of the symbol."""
        return self._events.published

    @property
    def known_ns(self) -> int:
        """The time of the newest known trade, whichever source brought it."""
        return max(self.streamed_ns, self._rest_newest_ns)

    def on_trade(self, trade: StreamedPrint, at_ns: int, received_us: int) -> Price | None:
        """Apply a print of the stream; return the new last price, if it is one.

        Raises:
            ValueError: its price, size or time is invalid.
        """
        if not is_price(trade.price):
            raise ValueError(f"{trade.price!r} is no price")
        if not is_size(trade.size):
            raise ValueError(f"{trade.size!r} is no size")
        if not 0 <= at_ns < _END_OF_TIME_NS:
            raise ValueError(f"{at_ns} ns is no time of a trade")
        context = self._context
        if at_ns > received_us * 1000 + AHEAD_NS:
            context.compare_clocks(at_ns, self._at_ns, received_us)
            if context.is_ahead(at_ns, self._at_ns, received_us):
                context.counts.quarantined += 1
                return None
        context.note_streamed(at_ns, received_us)
        self.streamed_ns = max(self.streamed_ns, at_ns)
        if at_ns < self._at_ns:
            context.counts.late += 1
            return None
        if at_ns == self._at_ns and self._is_known(trade):
            context.counts.repeated += 1
            return None
        found = print_of(trade, at_ns)
        if not self._counts(trade):
            context.counts.ineligible += 1
            return None
        if not self._accept(found):
            return None
        return self._set(found, received_us, is_rests=False)

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print that REST shows, perhaps again; return the new last price, if it is one."""
        return self._on_rest_trade(trade, received_us, is_newest=False)

    def _on_rest_trade(self, trade: Trade, received_us: int, *, is_newest: bool) -> Price | None:
        """Apply a print of REST's. ``is_newest``: REST's snapshot shows it as the last one."""
        at_ns, context = trade.at_ns, self._context
        if not is_size(trade.size) or not is_price(trade.price) or at_ns < 0:
            return None
        context.compare_clocks(at_ns, self._at_ns, received_us)
        if context.is_ahead(at_ns, self._at_ns, received_us):
            return None
        self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
        if not self._counts(trade):
            return None
        # REST confirms what the stream alone had claimed.
        if self._waiting is not None and self._waiting.at_ns <= at_ns:
            self._waiting = None
        follows = at_ns > self._at_ns or (
            at_ns == self._at_ns and self._follows(trade, is_newest=is_newest)
        )
        return self._set(trade, received_us, is_rests=True) if follows else None

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:  # noqa: ARG002
        """Count a cancel, which these markets do not have."""
        self._context.counts.cancelled += 1
        return None

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:  # noqa: ARG002
        """Count a correction, which these markets do not have."""
        self._context.counts.corrected += 1
        return None

    def on_snapshot(
        self,
        snapshot: Snapshot | None,
        received_us: int,
        adjusted: AdjustedCloses | None = None,  # noqa: ARG002 - there are no splits
    ) -> Price | None:
        """Apply a REST snapshot, None if REST has none; return the price to publish, if it is new.

        Its minute bar is no source of a price: without a trade it is made of quotes.
        """
        snapshot = snapshot or Snapshot()
        before, today = self.published, self._rules.days.day_of(received_us * 1000)
        self._closes.learn(snapshot.closes, today)
        compared = before is not None and self._events.update_close(
            before, self._rules.days.day_of(self._at_ns)
        )
        if snapshot.trade is not None:
            self._on_rest_trade(snapshot.trade, received_us, is_newest=True)
        if self._at_ns < 0:
            self._events.publish_no_price(today)
        return self.published if compared or self.published is not before else None

    def take_unconfirmed_split(self) -> UnconfirmedSplit | None:
        """Return None: there are no splits."""

    def restore(self, price: Price) -> None:
        """Apply a price that an earlier leader published, unless a trade has come since."""
        if price.timestamp is None or price.price is None or self._at_ns >= 0:
            return
        at_ns = rfc3339.to_nanoseconds(price.timestamp)
        self._closes.restore(self._rules.days.day_of(at_ns), price.previous_close)
        self._at_ns, self._price, self._id, self._is_rests = at_ns, price.price, None, True
        self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
        self._events.published = price

    def on_asset(self, *, listed: bool) -> Price | None:
        """Apply whether Alpaca lists the symbol; return the event to publish if it has no price."""
        if not listed and self._at_ns >= 0:
            return None
        return self._events.publish_listing(listed=listed)

    def believe_rest(self) -> None:
        """Do nothing: the newest trade counts, whichever source brought it."""

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade could move the last price: unless it waits for a second sign."""
        is_waiting = self._waiting is not None and self._waiting.id == trade.id
        return self._counts(trade) and not is_waiting

    def count_look(self) -> None:
        """Do nothing: no trade of REST's waits for the stream."""

    def take_doubt(self) -> bool:
        """Return, once, whether the last price is in doubt and REST is to be asked."""
        doubt, self._needs_lookup = self._needs_lookup, False
        return doubt

    def _counts(self, trade: StreamedPrint) -> bool:
        """Return whether the conditions of a trade allow it to be the last price."""
        return not trade.conditions or self._rules.excluded.isdisjoint(trade.conditions)

    def _is_known(self, trade: StreamedPrint) -> bool:
        """Return whether a print of the last price's time is it, or is older."""
        if trade.id is None or self._id is None:
            # Redis keeps no id: the same time and price are the same trade.
            return self._is_rests and trade.price == self._price
        if not self._is_rests:
            return trade.id == self._id
        # REST shows the last of several trades of one moment. Ids increase.
        if isinstance(trade.id, int) and isinstance(self._id, int):
            return trade.id < self._id
        return False

    def _follows(self, trade: Trade, *, is_newest: bool) -> bool:
        """Return whether a print of REST's, of the last price's time, came after it.

        An order that takes several others makes prints of one moment. Ids increase.
        """
        if isinstance(trade.id, int) and isinstance(self._id, int):
            return trade.id > self._id
        # There are no ids: the last row of REST's would be another one at each repetition.
        return is_newest and self._is_rests and trade.price != self._price

    def _accept(self, trade: Trade) -> bool:
        """Accept a print of the stream, or hold it back; return if it may be the last price now."""
        waiting, price = self._waiting, trade.price
        doubts = self._rules.doubts_jumps and bool(self._price)
        if not doubts or not is_far_off(price, self._price):
            self._waiting = None
            return True
        if waiting is not None and waiting.id != trade.id and agree(price, waiting.price):
            self._waiting = None
            return True
        self._waiting = trade
        self._context.counts.quarantined += 1
        self._needs_lookup = True
        self._context.doubt(self._symbol)
        return False

    def _set(self, trade: Trade, received_us: int, *, is_rests: bool) -> Price:
        event = self._events.of(trade, self._context.hours.session_at(trade.at_ns), received_us)
        self._at_ns, self._price, self._id = trade.at_ns, trade.price, trade.id
        self._is_rests = is_rests
        self._events.published = event
        return event


pair_tape = partial(PlainTape, rules=PAIR_RULES)
option_tape = partial(PlainTape, rules=OPTION_RULES)
