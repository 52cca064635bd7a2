"""The rules of one symbol's tape: which trade is its last price.

Trades come by the stream and by REST, and stored ones out of Redis. The tape hands a print to
``WithdrawnPrints``, which applies the reports that came before it, and to ``Admission``, which
decides whether it is believed. ``RestLead`` decides whether REST's trade waits for the stream.
"""

import math

from ingest.market import quarantine
from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.admission import Admission
from ingest.market.bars import Close
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.conditions import Eligibility, eligibility, may_lack_size
from ingest.market.previous_close import PreviousCloses, UnconfirmedSplit
from ingest.market.price_events import PriceEvents, event_of
from ingest.market.prints import (
    Cancel,
    Correction,
    StreamedPrint,
    Trade,
    is_price,
    is_size,
    print_of,
)
from ingest.market.quarantine import FAR_OFF, is_outside
from ingest.market.regular_trades import FULL, packed
from ingest.market.rest_lead import RestLead
from ingest.market.snapshot import Snapshot
from ingest.market.tape_context import TapeContext
from ingest.market.tape_entries import Entry, Known
from ingest.market.tape_history import TapeHistory
from ingest.market.trading_day import HOUR_NS, day_of, day_of_hour
from ingest.market.withdrawal import Withdrawal, Withdrawn, corrected
from ingest.market.withdrawn_prints import WithdrawnPrints
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price

_ALWAYS = Eligibility.ALWAYS
_INFINITE = math.inf
_END_OF_TIME_NS = 1 << 63


class _Newest:
    """The values that nearly every print reads or sets. As slots of a base they lie side by side.

    In a wide market each symbol's tape has left the processor's cache by its next print.
    """

    __slots__ = (
        "_at_ns",
        "_close",
        "_close_day",
        "_frontier_ns",
        "_has_quarantined",
        "_is_packed",
        "_order",
        "_price",
        "_trades",
        "streamed_ns",
        "traded_at",
    )


class SymbolTape(_Newest):
    """One symbol's trades, its previous closes and its last price. Times are unix ns, -1 for none.

    ``streamed_ns`` is the time of the newest trade of any kind, eligible or not, that the stream
    brought, ``traded_at`` when it came (monotonic s, noted by the stream's reader), and ``history``
    has the trades that may be the last price.
    """

    __slots__ = (
        "_admission",
        "_closes",
        "_context",
        "_events",
        "_needs_lookup",
        "_rest_lead",
        "_rest_newest_ns",
        "_symbol",
        "_withdrawn",
        "history",
    )

    def __init__(self, symbol: str, context: TapeContext) -> None:
        self.streamed_ns = -1
        self.traded_at: float | None = None
        self._rest_newest_ns = -1
        """The time of the newest trade of any kind that REST or Redis brought. It is kept apart:
        only then can the two be compared."""
        self._symbol = symbol
        self._context = context
        self.history = TapeHistory(symbol)
        self._trades = self.history.regular.trades
        self._closes = PreviousCloses()
        self._events = PriceEvents(symbol, self._closes, is_delayed=context.is_delayed)
        self._is_packed = False
        """Whether the published event is that of the newest regular trade, which is packed. Nearly
        all events are replaced before anything asks for them again."""
        self._close: float | None = None
        self._close_day: int | None = None
        """The day whose previous close is kept in ``_close``, so that a trade need not look it up.
        None if no day is, or if its prices are compared with several closes."""
        self._at_ns = -1
        """The last price's time, kept here (as ``_price``) for the comparison of each trade."""
        self._price = 0.0
        self._frontier_ns = -1
        """A trade that is newer than this is not late, has not come before, and is not withdrawn:
        the time of the newest trade or price, or the latest time that a print can have whose cancel
        or correction has come before it."""
        self._order = 0
        """The order of arrival, increased by each trade that is not newer than all before it."""
        self._needs_lookup = False
        self._has_quarantined = False
        self._rest_lead = RestLead()
        self._admission = Admission(self.history, self._closes, context)
        self._withdrawn = WithdrawnPrints(self.history)

    @property
    def published(self) -> Price | None:
        """The newest event of the symbol."""
        self._unpack_published()
        return self._events.published

    @property
    def known_ns(self) -> int:
        """The time of the newest known trade of any kind, whichever source brought it."""
        return max(self.streamed_ns, self._rest_newest_ns)

    def on_trade(self, trade: StreamedPrint, at_ns: int, received_us: int) -> Price | None:
        """Apply a print of the stream; return the new last price, if it is one.

        ``at_ns`` is its time, ``received_us`` is unix µs.

        Raises:
            ValueError: its price, size or time is invalid.
        """
        price = trade.price
        if not 0 < price < _INFINITE:
            raise ValueError(f"{price!r} is no price")
        context, before = self._context, self._price
        session = context.hours.session_at(at_ns)
        # For most prints none of these applies, and they cost no more. The others' rules are below.
        if (
            # Odd lots, average prices, derivatively priced trades and their like.
            eligibility(trade.tape, trade.conditions, session) is not _ALWAYS
            # A corrected close has the size 0, an unreadable one is None, a negative one an error.
            or not 0 < (trade.size or 0) < _INFINITE
            # Exchanges report some prints late; some have a wrong clock. A print of the newest time
            # may have come before, by the stream or by REST, or be withdrawn already.
            or not self._frontier_ns < at_ns <= received_us * 1000 + AHEAD_NS
            # A test print, a decimal error, or the first print after a crash. Also the symbol's
            # first print of all, whose price before is 0: the day's close is its reference.
            or price > FAR_OFF * before
            or before > FAR_OFF * price
            # Closing prints are reported after the session; prints at night are a test.
            or session == "closed"
            # A credible print refutes the quarantined ones.
            or self._has_quarantined
        ):
            return self._on_unusual_trade(print_of(trade, at_ns), session, received_us)
        context.newest_streamed_ns = at_ns
        # ``day_of`` without a call, which every print would pay for.
        day = day_of_hour(at_ns // HOUR_NS)
        close = self._close if day == self._close_day else self._close_of(day, price)
        last = event_of(trade.symbol, trade, at_ns, session, close, received_us)
        self._trades.append(packed(at_ns, trade.id, last, self._order))
        if len(self._trades) >= FULL:
            self.history.regular.forget_oldest()
        self._frontier_ns = self.streamed_ns = self._at_ns = at_ns
        self._price = price
        self._is_packed = True
        return last

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print that REST shows, perhaps again; return the new last price, if it is one."""
        at_ns = trade.at_ns
        # REST shows the market's last trade even if it is a test print of the night, and for some
        # time a trade that was cancelled.
        if (
            is_outside(self._context.hours, at_ns)
            or not is_size(trade.size)
            or self._withdrawn.is_void(trade)
        ):
            return None
        self._order += 1
        # Most answers repeat a print that the stream has brought, or that an earlier answer had.
        if self.history.knows(self._entry(trade, received_us, self._order)):
            return None
        if self._await(at_ns):
            return None
        self._note_by_rest(at_ns, received_us)
        valid = self._withdrawn.as_reported(trade)
        # It is corrected to a print that is cancelled.
        if valid is None:
            return None
        # A correction may make an odd lot eligible, also one that only REST has shown.
        if (rule := self._rule(valid)) is Eligibility.NEVER:
            if not self.history.knows_ineligible(valid):
                self.history.add_ineligible(valid, self._order)
            return None
        entry = self._entry(valid, received_us, self._order)
        # The stream has brought the corrected print as a print of its own.
        if valid is not trade and self.history.knows(entry):
            return None
        self._unpack_published()
        self.history.drop_nameless(at_ns, valid.price)
        last = self._admit(entry, rule, received_us)
        # The last price is now REST's: the stream's prints of that moment are compared with it.
        if self._at_ns == at_ns:
            self._rest_lead.unstreamed_ns = at_ns
        return last

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:
        """Forget a trade; return the last price if another one is it now.

        The trade is the one with the id, the price and the size that the message gives: FINRA's
        facilities repeat ids within a day. A value that the message lacks matches any, and of
        several trades the newest is meant. If there is none, the cancel has overtaken its trade,
        which then counts as cancelled when it comes.
        """
        self._context.counts.cancelled += 1
        report = Withdrawal(Withdrawn.by_cancel(cancel), None, cancel.at_ns)
        cancelled = self._withdraw(report)
        # The cancel of an odd lot leaves the price as it is, even if there is none yet.
        return self._settle_without(received_us) if isinstance(cancelled, Entry) else None

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:
        """Replace a trade, at its own place; return the last price if another one is it now.

        It means the same trade as a cancel would. Its conditions may make an odd lot eligible, or a
        last price ineligible. A corrected price far off the others waits as a print would.

        Raises:
            ValueError: the new price or size is invalid.
        """
        if not is_price(correction.price):
            raise ValueError(f"{correction.price!r} is no price")
        if not is_size(correction.size):
            raise ValueError(f"{correction.size!r} is no size")
        self._context.counts.corrected += 1
        report = Withdrawal(Withdrawn.by_correction(correction), correction, correction.at_ns)
        wrong = self._withdraw(report)
        if wrong is None:
            return None
        # The wrong price is no reference for the right one.
        self._refer_to(self.history.newest())
        # The correction's own time is that of the report. The corrected trade keeps its place.
        valid = self._withdrawn.after_pending(corrected(correction, wrong.at_ns))
        if valid is not None:
            self._replace(wrong, valid, received_us)
        return (
            self._settle_without(received_us)
            if isinstance(wrong, Entry)
            else self._settle(received_us)
        )

    def on_snapshot(
        self, snapshot: Snapshot | None, received_us: int, adjusted: AdjustedCloses | None = None
    ) -> Price | None:
        """Apply REST's snapshot, None if it has none: no trade on this feed is known.

        ``adjusted``: the closes adjusted for splits, if known.
        Returns the price to publish if it or its previous close is new. It is the last trade if
        that is eligible, else the close of the last minute bar, unless the stream has brought a
        newer one.
        """
        self.history.knows_past = True
        # REST knows valid symbols without a trade on this feed, too: only the list of Alpaca's
        # assets says that a symbol does not exist (https://github.com/alpacahq/alpaca-py/issues/157).
        snapshot = snapshot or Snapshot()
        before, closes = self.published, snapshot.closes
        self._closes.learn(
            closes,
            day_of(received_us * 1000),
            adjusted,
            opened=None if snapshot.day is None else snapshot.day.open,
            shown=None if self._at_ns < 0 else (day_of(self._at_ns), self._price),
        )
        self._close_day = None
        compared = before is not None and self._events.update_close(before, day_of(self._at_ns))
        if snapshot.trade is not None:
            self.on_rest_trade(snapshot.trade, received_us)
        if closes.minute is not None:
            self._on_minute_close(closes.minute, snapshot.trade, received_us)
        if self._admission.judge_quarantined(closes, self._at_ns, self._price, received_us):
            self._look_up()
        self._settle(received_us)
        if self._at_ns < 0:
            self._events.publish_no_price(day_of(received_us * 1000))
        return self.published if compared or self.published is not before else None

    def take_unconfirmed_split(self) -> UnconfirmedSplit | None:
        """Return, once a day, a split that the adjusted closes claim and the prices do not show."""
        return self._closes.take_unconfirmed_split()

    def restore(self, price: Price) -> None:
        """Apply a price that an earlier leader published, unless a trade has come since."""
        if price.timestamp is None or price.price is None or self._at_ns >= 0:
            return
        at_ns = rfc3339.to_nanoseconds(price.timestamp)
        self._closes.restore(day_of(at_ns), price.previous_close)
        self._close_day = None
        self._admission.accept(Entry(at_ns, None, price, self._order), _ALWAYS, self._at_ns)
        self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
        self._settle(price.received)
        self._rest_lead.unstreamed_ns = self._at_ns

    def on_asset(self, *, listed: bool) -> Price | None:
        """Apply whether Alpaca lists the symbol; return the event to publish if it has no price."""
        self._unpack_published()
        # A price shows that the symbol exists.
        if not listed and self._at_ns >= 0:
            return None
        return self._events.publish_listing(listed=listed)

    def believe_rest(self) -> None:
        """Take REST's trades at once until the stream brings one: it has just got or lost this."""
        self._rest_lead.unstreamed_ns = self._at_ns

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade, which ``on_trade`` has applied, could move the last price.

        Its conditions allow it, and it is not in quarantine. A late one could have moved it, and
        one that was cancelled before it came.
        """
        rule, history = self._rule(trade), self.history
        if rule is Eligibility.NEVER or is_outside(self._context.hours, trade.at_ns):
            return False
        if rule is Eligibility.FIRST_ONLY:
            newest = history.newest()
            return newest is not None and newest.is_of(trade)
        return not any(
            each.is_of(trade)
            for entries in (history.quarantined, history.refuted)
            for each in entries
        )

    def count_look(self) -> None:
        """Count a look; if an awaited trade has not come for several, believe REST again."""
        rest_lead, known_ns = self._rest_lead, self.known_ns
        if rest_lead.count_look(self._at_ns, known_ns):
            self._look_up()
        if rest_lead.awaits(known_ns):
            self._context.expect(self._symbol)

    def take_doubt(self) -> bool:
        """Return, once, whether the last price is in doubt and REST is to be asked."""
        doubt = self._needs_lookup or self._events.needs_close
        self._needs_lookup = self._events.needs_close = False
        return doubt

    def _on_unusual_trade(self, trade: Trade, session: Session, received_us: int) -> Price | None:
        at_ns, counts = trade.at_ns, self._context.counts
        if not is_size(trade.size):
            raise ValueError(f"{trade.size!r} is no size")
        # Alpaca's timestamps reach further than RFC 3339 text and the calendar do.
        if not 0 <= at_ns < _END_OF_TIME_NS:
            raise ValueError(f"{at_ns} ns is no time of a trade")
        # The test session of 2021-04-10 (see ``quarantine``). Nothing can confirm such a print.
        if session == "closed" and is_outside(self._context.hours, at_ns):
            counts.quarantined += 1
            return None
        is_newest = at_ns > self._frontier_ns
        self._note_streamed(at_ns, received_us)
        self._order += 1
        valid = self._withdrawn.as_reported(trade)
        if valid is None:
            return None
        if (rule := self._rule(valid)) is Eligibility.NEVER:
            counts.count_ineligible(valid)
            if is_newest or not self.history.knows_ineligible(valid):
                self.history.add_ineligible(valid, self._order)
            return None
        entry = self._entry(valid, received_us, self._order)
        # Prints without an id (which Alpaca does not send) may be equal and still be several. Only
        # the price that REST or Redis gave is then taken for the same print.
        rest_lead = self._rest_lead
        is_named = valid.id is not None or at_ns == rest_lead.unstreamed_ns
        if is_named and self.history.knows(entry):
            counts.repeated += 1
            # REST, or the leader before this one, has shown it. Now the stream is as far as they
            # are, and later trades of the same moment are new.
            if at_ns == rest_lead.unstreamed_ns and valid.id == self.history.newest_id():
                rest_lead.unstreamed_ns -= 1
            return None
        if at_ns == self._at_ns == rest_lead.unstreamed_ns:
            # REST shows the last trade of a moment: those that the stream brings before that one
            # are older. If it never brings that one, only REST knows the last of the moment.
            self._look_up()
            return None
        return self._admit(entry, rule, received_us)

    def _on_minute_close(self, close: Close, newest: Trade | None, received_us: int) -> None:
        """Apply the close of REST's minute bar if it is newer than any known trade.

        ``newest`` is REST's newest trade.

        The last trade of a snapshot may be an odd lot. Then the bar has the last eligible price,
        at a time that only its minute bounds.
        """
        start_ns, regular = close.at_ns, self.history.regular
        context = self._context
        # The bar of a test session at night, or one whose time is wrong.
        if is_outside(context.hours, start_ns) or context.is_ahead(
            start_ns, self._at_ns, received_us
        ):
            return
        # A print of this minute is known: only prints, which have exact times, may replace it.
        if regular and start_ns <= regular[-1].at_ns:
            return
        minute_end_ns = start_ns + quarantine.MINUTE_NS
        # REST's bars contain a busted print for some time too.
        if self._withdrawn.include_price(close.price, start_ns, minute_end_ns):
            return
        if self._await(minute_end_ns):
            return
        # The bar has all of its minute's trades: one that is reported later is not newer than its
        # close. Of a minute that has not ended, the bar has those that REST knows.
        known_ns = received_us * 1000
        if newest is not None and newest.at_ns >= start_ns:
            known_ns = newest.at_ns
        at_ns = max(start_ns, min(minute_end_ns - 1, known_ns))
        bar = Trade(self._symbol, close.price, 0, at_ns, None, None, None, None)
        self._order += 1
        entry = self._entry(bar, received_us, self._order)
        entry.event.size = None
        self.history.insert(entry, _ALWAYS)
        rest_lead = self._rest_lead
        rest_lead.unstreamed_ns = max(rest_lead.unstreamed_ns, at_ns)

    def _rule(self, trade: Trade) -> Eligibility:
        """Return whether a print may be the last price by its conditions, its time and its size."""
        if trade.size == 0 and not may_lack_size(trade.conditions):
            return Eligibility.NEVER
        session = self._context.hours.session_at(trade.at_ns)
        return eligibility(trade.tape, trade.conditions, session)

    def _entry(self, trade: Trade, received_us: int, order: int) -> Entry:
        """Return a print as a candidate for the last price."""
        session = self._context.hours.session_at(trade.at_ns)
        event = self._events.of(trade, session, received_us)
        self._note_close_doubt()
        return Entry(trade.at_ns, trade.id, event, order)

    def _admit(self, entry: Entry, rule: Eligibility, received_us: int) -> Price | None:
        """Accept or quarantine a trade that its conditions allow."""
        counts, late = self._context.counts, entry.at_ns < self._at_ns
        self._unpack_published()
        if self._is_incredible(entry, received_us):
            self._doubt(entry, rule, received_us)
            return self._settle(received_us)
        self._admission.accept(entry, rule, self._at_ns)
        last = self._settle(received_us)
        if last is None and rule is Eligibility.FIRST_ONLY:
            counts.ineligible += 1
        elif last is None and late:
            counts.late += 1
        return last

    def _is_incredible(self, entry: Entry, received_us: int) -> bool:
        """Return whether a print has to wait until something confirms it."""
        return self._admission.is_incredible(entry, self._at_ns, self._price, received_us)

    def _doubt(self, entry: Entry, rule: Eligibility, received_us: int) -> None:
        """Hold an incredible print back."""
        if self._admission.doubt(entry, rule, self._at_ns, received_us):
            self._has_quarantined = bool(self.history.quarantined)
            self._look_up()

    def _await(self, at_ns: int) -> bool:
        """Return whether a trade of this time, which REST shows, waits for the stream."""
        newest_ns = self._context.newest_streamed_ns
        if not self._rest_lead.will_stream(at_ns, self._at_ns, newest_ns):
            return False
        self._rest_lead.expect(at_ns, self.known_ns)
        self._context.expect(self._symbol)
        return True

    def _note_streamed(self, at_ns: int, received_us: int) -> None:
        """Note the time of a print of the stream, which may be ahead of this machine's clock."""
        context = self._context
        context.compare_clocks(at_ns, self._at_ns, received_us)
        if not context.is_ahead(at_ns, self._at_ns, received_us):
            context.note_streamed(at_ns, received_us)
            self.streamed_ns = max(self.streamed_ns, at_ns)
            self._frontier_ns = max(self._frontier_ns, at_ns)

    def _note_by_rest(self, at_ns: int, received_us: int) -> None:
        """Note the time of a trade that REST shows, unless it is in the future."""
        context = self._context
        context.compare_clocks(at_ns, self._at_ns, received_us)
        if not context.is_ahead(at_ns, self._at_ns, received_us):
            self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
            self._frontier_ns = max(self._frontier_ns, at_ns)

    def _withdraw(self, report: Withdrawal) -> Known | None:
        """Remove the print that a report means from the history, and return it."""
        self._unpack_published()
        found = self._withdrawn.place_of(report)
        # The print may still come.
        self._frontier_ns = max(self._frontier_ns, self._withdrawn.latest_pending_ns)
        if found is None:
            return None
        print_ = found.entry
        if print_.id is None:
            # It only resembles the withdrawn trade: a price out of Redis or a bar's close.
            self._look_up()
        found.remove()
        return print_

    def _replace(self, wrong: Known, valid: Trade, received_us: int) -> None:
        """Put a corrected print in the place of the one that was removed."""
        rule = self._rule(valid)
        if rule is Eligibility.NEVER:
            self.history.add_ineligible(valid, wrong.order)
            return
        entry = self._entry(valid, received_us, wrong.order)
        if isinstance(wrong, Entry) and entry.has_event_of(wrong):
            # Only the id was corrected: that is no new price.
            entry.event = wrong.event
        if self._is_incredible(entry, received_us):
            self._doubt(entry, rule, received_us)
        else:
            self.history.insert(entry, rule)

    def _settle_without(self, received_us: int) -> Price | None:
        """Settle after a withdrawal. If no trade is left, the old price stays until REST's."""
        last = self._settle(received_us)
        if self._at_ns < 0:
            self._look_up()
        return last

    def _settle(self, received_us: int | None) -> Price | None:
        """Find the last price again; return it if it is another one than the published one."""
        self._unpack_published()
        newest = self.history.newest()
        self._refer_to(newest)
        self._has_quarantined = bool(self.history.quarantined)
        if newest is None:
            return None
        return self._events.publish(newest.event, newest.day, received_us)

    def _refer_to(self, newest: Entry | None) -> None:
        """Compare later trades with this one, the last price; None if there is none."""
        if newest is None:
            self._at_ns, self._price = -1, 0.0
            return
        self._at_ns, self._price = newest.at_ns, newest.price
        self._frontier_ns = max(self._frontier_ns, newest.at_ns)

    def _unpack_published(self) -> None:
        """Make the published event an object again, before anything changes or compares it.

        It is that of the newest regular trade only until a trade is added or removed.
        """
        if self._is_packed:
            self._is_packed = False
            self._events.published = self.history.regular[-1].event

    def _close_of(self, day: int, price: float) -> float | None:
        """Return the previous close of a day for a price of it, and keep it for the next ones."""
        self._close = self._events.close_of(day, price)
        self._note_close_doubt()
        self._close_day = day if self._events.has_one_close(day) else None
        return self._close

    def _look_up(self) -> None:
        """Let REST be asked about the last price."""
        self._needs_lookup = True
        self._context.doubt(self._symbol)

    def _note_close_doubt(self) -> None:
        if self._events.needs_close:
            self._context.doubt(self._symbol)
