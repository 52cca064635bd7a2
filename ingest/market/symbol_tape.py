"""The rules of one symbol's tape: which trade is its last price.

Trades come by the stream and by REST, and stored ones out of Redis. REST is mostly ahead of the
stream. The stream's trades are published one after the other, so REST's newer ones wait for it,
unless the stream has missed them.
"""

import math
from collections import deque

from ingest.market import quarantine
from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.bars import Close
from ingest.market.conditions import Eligibility, eligibility
from ingest.market.market_hours import MarketHours
from ingest.market.previous_close import PreviousCloses, UnconfirmedSplit, change
from ingest.market.prints import Cancel, Correction, Trade, is_price
from ingest.market.quarantine import AHEAD_NS, FAR_OFF, is_outside
from ingest.market.snapshot import NewestCloses, Snapshot
from ingest.market.tape_history import DEPTH, Entry, Found, TapeHistory, TradeKey, Withdrawn
from ingest.market.trade_counts import TradeCounts
from ingest.market.trading_day import BOUNDARY_NS, DAY_NS, day_of
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price

PASSED_NS = 3_000_000_000
"""The stream has missed a trade if it has brought one, of any symbol, that is newer by this."""

LOOKS = 5
"""The looks, a second apart, after which a trade that REST shows is missed as well. Looks and not
seconds: while this process is stopped, the stream waits with it."""

BAR_DELAY_US = 120 * 1_000_000
"""A minute's bar exists soon after the minute: a quarantined print is looked up for this time."""

_ALWAYS = Eligibility.ALWAYS
_INFINITE = math.inf
_END_OF_TIME_NS = 1 << 63


class TapeContext:
    """The values that the tapes of all symbols share."""

    __slots__ = ("counts", "hours", "newest_streamed_ns")

    def __init__(self, hours: MarketHours) -> None:
        self.hours = hours
        self.counts = TradeCounts()
        self.newest_streamed_ns = -1
        """The time of the trade, of any symbol, that the stream brought last."""


class SymbolTape:
    """One symbol's trades, its previous closes and its last price. Times are unix ns, -1 for none.

    ``published`` is the newest event of the symbol, ``streamed_ns`` the time of the newest trade of
    any kind, eligible or not, that the stream brought, ``history`` the trades that may be the last
    price.
    """

    __slots__ = (
        "_at_ns",
        "_awaited_ns",
        "_closes",
        "_context",
        "_looks",
        "_needs_lookup",
        "_price",
        "_rest_newest_ns",
        "_symbol",
        "_unstreamed_ns",
        "_withdrawn",
        "history",
        "published",
        "streamed_ns",
    )

    def __init__(self, symbol: str, context: TapeContext) -> None:
        self.published: Price | None = None
        self.streamed_ns = -1
        self._rest_newest_ns = -1
        """The time of the newest trade of any kind that REST or Redis brought. It is kept apart:
        only then can the two be compared."""
        self._symbol = symbol
        self._context = context
        self.history = TapeHistory()
        self._closes = PreviousCloses()
        self._at_ns = -1
        """The last price's time, kept here (as ``_price``) for the comparison of each trade."""
        self._price = 0.0
        self._unstreamed_ns = -1
        """The time of the newest last price that REST or Redis brought, and not the stream as it
        is now connected and subscribed."""
        self._awaited_ns = -1
        """The time of a trade that REST shows and the stream has yet to bring."""
        self._looks = 0
        self._needs_lookup = False
        self._withdrawn: deque[TradeKey] = deque(maxlen=DEPTH)
        """Cancelled and corrected trades: REST may show them for some time yet."""

    @property
    def known_ns(self) -> int:
        """The time of the newest known trade of any kind, whichever source brought it."""
        return max(self.streamed_ns, self._rest_newest_ns)

    def on_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print of the stream; return the new last price, if it is one.

        ``received_us`` is unix µs.

        Raises:
            ValueError: its price or its time is invalid.
        """
        price, at_ns = trade.price, trade.at_ns
        if not 0 < price < _INFINITE:
            raise ValueError(f"{price!r} is no price")
        context, before = self._context, self._price
        session = context.hours.session_at(at_ns)
        rule = eligibility(trade.tape, trade.conditions, session)
        context.newest_streamed_ns = at_ns
        # For most prints none of these applies, and they cost no more. The others' rules are below.
        if (
            # Odd lots, average prices, derivatively priced trades and their like.
            rule is not _ALWAYS
            # Exchanges report some prints late; some have a wrong clock.
            or not self._at_ns <= at_ns <= received_us * 1000 + AHEAD_NS
            # Several prints share a time: REST may already have shown a later one of them.
            or at_ns == self._unstreamed_ns
            # A test print, a decimal error, or the first print after a crash. Also the symbol's
            # first print of all, whose price before is 0: the day's close is its reference.
            or price > FAR_OFF * before
            or before > FAR_OFF * price
            # Closing prints are reported after the session; prints at night are a test.
            or session == "closed"
            # A credible print refutes the quarantined ones.
            or self.history.quarantined
        ):
            return self._on_unusual_trade(trade, session, rule, received_us)
        last = self._event(trade, at_ns, session, received_us)
        self.history.append(Entry(at_ns, trade.id, last))
        self._at_ns, self._price = at_ns, price
        if at_ns > self.streamed_ns:
            self.streamed_ns = at_ns
        self.published = last
        return last

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Apply a print that REST shows, perhaps again; return the new last price, if it is one."""
        at_ns, hours = trade.at_ns, self._context.hours
        # REST shows the market's last trade even if it is a test print of the night, and for some
        # time a trade that was cancelled.
        key = TradeKey(trade.id, trade.exchange, trade.tape, day_of(at_ns))
        if is_outside(hours, at_ns) or key in self._withdrawn:
            return None
        session = hours.session_at(at_ns)
        rule = eligibility(trade.tape, trade.conditions, session)
        entry = Entry(at_ns, trade.id, self._event(trade, at_ns, session, received_us))
        if self.history.knows(entry):
            return None
        if self._will_stream(at_ns):
            self._await(at_ns)
            return None
        if at_ns <= received_us * 1000 + AHEAD_NS:
            self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
        if rule is Eligibility.NEVER:
            return None
        self.history.drop_nameless(at_ns, trade.price)
        last = self._admit(entry, rule, received_us)
        if self._at_ns == at_ns:
            self._unstreamed_ns = at_ns
        return last

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:
        """Forget a trade; return the last price if another one is it now."""
        self._context.counts.cancelled += 1
        found = self._find(Withdrawn.by_cancel(cancel))
        if found is None:
            return None
        found.remove()
        return self._settle_without(received_us)

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:
        """Replace a trade, at its own time; return the last price if another one is it now.

        A trade that could not be the last price is not in the history: its correction has no
        effect, even if the corrected one could be.

        Raises:
            ValueError: the new price is invalid.
        """
        if not is_price(correction.price):
            raise ValueError(f"{correction.price!r} is no price")
        self._context.counts.corrected += 1
        found = self._find(Withdrawn.by_correction(correction))
        if found is None:
            return None
        # The correction's own time is that of the report. The corrected trade keeps its place.
        at_ns = found.entry.at_ns
        session = self._context.hours.session_at(at_ns)
        rule = eligibility(correction.tape, correction.conditions, session)
        event = self._event(correction, at_ns, session, received_us)
        self.history.replace(found, Entry(at_ns, correction.id, event), rule)
        return self._settle_without(received_us)

    def on_snapshot(
        self, snapshot: Snapshot | None, received_us: int, adjusted: AdjustedCloses | None
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
        compared = before is not None and self._compare(before)
        if snapshot.trade is not None:
            self.on_rest_trade(snapshot.trade, received_us)
        if closes.minute is not None:
            self._on_minute_close(closes.minute, received_us)
        if self._judge_quarantined(closes, received_us):
            self._needs_lookup = True
        self._settle(received_us)
        if self._at_ns < 0:
            self._publish_no_price(day_of(received_us * 1000))
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
        self._accept(Entry(at_ns, None, price), _ALWAYS)
        self._rest_newest_ns = max(self._rest_newest_ns, at_ns)
        self._settle(price.received)
        self._unstreamed_ns = self._at_ns

    def on_unlisted(self) -> Price | None:
        """Return the event of a symbol that Alpaca does not list; a price shows that it exists."""
        if self._at_ns >= 0 or self._is_unknown():
            return None
        self.published = Price(symbol=self._symbol, reason="unknown_symbol")
        return self.published

    def on_listed(self) -> Price | None:
        """Return the event of a symbol that Alpaca lists now and did not list before."""
        if not self._is_unknown():
            return None
        self.published = Price(symbol=self._symbol, reason="no_trade_seen")
        return self.published

    def _is_unknown(self) -> bool:
        return self.published is not None and self.published.reason == "unknown_symbol"

    def believe_rest(self) -> None:
        """Take REST's trades at once until the stream brings one: it has just got or lost this."""
        self._unstreamed_ns = self._at_ns

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade, which ``on_trade`` has applied, could move the last price.

        Its conditions allow it, and it is not in quarantine. A late one could have moved it.
        """
        hours = self._context.hours
        rule = eligibility(trade.tape, trade.conditions, hours.session_at(trade.at_ns))
        if rule is Eligibility.NEVER or is_outside(hours, trade.at_ns):
            return False
        if rule is Eligibility.FIRST_ONLY:
            newest = self.history.newest()
            return newest is not None and newest.is_of(trade)
        return not any(each.is_of(trade) for each in self.history.quarantined)

    def count_look(self) -> None:
        """Count a look; if an awaited trade has not come for several, believe REST again."""
        if self._awaited_ns > self.known_ns:
            self._looks += 1
            if self._looks > LOOKS:
                self._awaited_ns, self._unstreamed_ns = -1, self._at_ns
                self._needs_lookup = True

    def take_doubt(self) -> bool:
        """Return, once, whether the last price is in doubt and REST is to be asked."""
        doubt, self._needs_lookup = self._needs_lookup, False
        return doubt

    def _on_unusual_trade(
        self, trade: Trade, session: Session, rule: Eligibility, received_us: int
    ) -> Price | None:
        at_ns, counts = trade.at_ns, self._context.counts
        # Alpaca's timestamps reach further than RFC 3339 text and the calendar do.
        if not 0 <= at_ns < _END_OF_TIME_NS:
            raise ValueError(f"{at_ns} ns is no time of a trade")
        # The test session of 2021-04-10 (see ``quarantine``). Nothing can confirm such a print.
        if session == "closed" and is_outside(self._context.hours, at_ns):
            counts.quarantined += 1
            return None
        # A time in the future may be wrong.
        if self.streamed_ns < at_ns <= received_us * 1000 + AHEAD_NS:
            self.streamed_ns = at_ns
        if rule is Eligibility.NEVER:
            counts.count_ineligible(trade)
            return None
        entry = Entry(at_ns, trade.id, self._event(trade, at_ns, session, received_us))
        if self.history.knows(entry):
            # REST, or the leader before this one, has shown it. Now the stream is as far as they
            # are, and later trades of the same moment are new.
            if at_ns == self._unstreamed_ns and trade.id == self.history.newest_id():
                self._unstreamed_ns -= 1
            return None
        if at_ns == self._at_ns == self._unstreamed_ns:
            # REST shows the last trade of a moment: those that the stream brings before that one
            # are older. If it never brings that one, only REST knows the last of the moment.
            self._needs_lookup = True
            return None
        return self._admit(entry, rule, received_us)

    def _publish_no_price(self, day: int) -> None:
        """Publish that there is no price, with the previous close of a day if that is known."""
        close, before = self._closes.by_day.get(day), self.published
        # A symbol that Alpaca does not know stays so until a trade or a close shows that it exists.
        if before is not None and before.price is None and close == before.previous_close:
            return
        # A price that was published before has been withdrawn, and no other trade replaces it.
        self.published = Price(symbol=self._symbol, reason="no_trade_seen", previous_close=close)

    def _on_minute_close(self, close: Close, received_us: int) -> None:
        """Apply the close of REST's minute bar if it is newer than any known trade.

        The last trade of a snapshot may be an odd lot. Then the bar has the last eligible price,
        at a time that only its minute bounds.
        """
        at_ns, regular = close.at_ns, self.history.regular
        if is_outside(self._context.hours, at_ns) or at_ns > received_us * 1000 + AHEAD_NS:
            return
        if regular and at_ns <= regular[-1].at_ns:
            return
        minute_end_ns = at_ns + quarantine.MINUTE_NS
        if self._will_stream(minute_end_ns):
            self._await(minute_end_ns)
            return
        session = self._context.hours.session_at(at_ns)
        bar = Trade(self._symbol, close.price, 0, at_ns, None, None, None, None)
        event = self._event(bar, at_ns, session, received_us)
        event.size = None
        self.history.insert(Entry(at_ns, None, event), _ALWAYS)
        self._unstreamed_ns = max(self._unstreamed_ns, at_ns)

    def _event(
        self, trade: Trade | Correction, at_ns: int, session: Session, received_us: int
    ) -> Price:
        """Return a trade as the event that it makes as the last price."""
        price = trade.price
        # ``day_of`` without its call, which every print would pay for
        close = self._closes.by_day.get((at_ns - BOUNDARY_NS) // DAY_NS)
        if close is None:
            close = self._undecided_close(day_of(at_ns), price)
        difference, fraction = (None, None) if close is None else change(price, close)
        return Price(
            symbol=self._symbol,
            price=price,
            size=trade.size,
            exchange=trade.exchange,
            conditions=trade.conditions or (),
            tape=trade.tape,
            session=session,
            timestamp=rfc3339.from_nanoseconds(at_ns),
            previous_close=close,
            change=difference,
            change_percent=fraction,
            received=received_us,
        )

    def _undecided_close(self, day: int, price: float) -> float | None:
        """Return the previous close of a day for which none is settled, as a price shows it."""
        close = self._closes.choose(day, price)
        # REST's next daily bar settles it for the day.
        if close is not None:
            self._needs_lookup = True
        return close

    def _admit(self, entry: Entry, rule: Eligibility, received_us: int) -> Price | None:
        """Accept or quarantine a trade that its conditions allow."""
        counts, late = self._context.counts, entry.at_ns < self._at_ns
        if self._is_incredible(entry, received_us):
            counts.quarantined += 1
            # A trade that counts only as its day's first cannot confirm a level.
            if rule is _ALWAYS:
                self._needs_lookup = True
                self._quarantine(entry)
            return self._settle(received_us)
        self._accept(entry, rule)
        last = self._settle(received_us)
        if last is None and rule is Eligibility.FIRST_ONLY:
            counts.ineligible += 1
        elif last is None and late:
            counts.late += 1
        return last

    def _accept(self, entry: Entry, rule: Eligibility) -> None:
        """Add a credible trade. The quarantined ones before a newer one were wrong."""
        if rule is _ALWAYS and entry.at_ns >= self._at_ns:
            self.history.quarantined.clear()
        self.history.insert(entry, rule)

    def _is_incredible(self, entry: Entry, received_us: int) -> bool:
        """Return whether a print has to wait until something confirms it."""
        # A late print does not move the last price, so there is nothing to protect.
        if entry.at_ns < self._at_ns:
            return False
        if entry.at_ns > max(received_us * 1000, self._at_ns) + AHEAD_NS:
            return True
        reference = self._reference(entry)
        return reference is not None and quarantine.is_far_off(entry.price, reference)

    def _reference(self, entry: Entry) -> float | None:
        """Return the price that an entry's price is compared with."""
        day = entry.day
        regular = self.history.regular
        if regular and regular[-1].day == day:
            return regular[-1].event.price
        # The first print of a day: the previous close is adjusted for a split on this morning,
        # yesterday's last price is not.
        close = self._closes.by_day.get(day) or self._closes.choose(day, entry.price)
        return close or self._price or None

    def _quarantine(self, entry: Entry) -> None:
        """Hold a print back, or accept it together with those that confirm it."""
        history = self.history
        waiting = [*quarantine.still_quarantined(history.quarantined, entry.at_ns), entry]
        level = quarantine.believed(waiting)
        history.quarantined = [] if level else waiting
        for each in level:
            history.insert(each, _ALWAYS)

    def _judge_quarantined(self, closes: NewestCloses, received_us: int) -> bool:
        """Accept or drop prints as REST's closes show; return whether to look them up again."""
        waiting, self.history.quarantined = self.history.quarantined, []
        for entry in waiting:
            verdict = quarantine.confirmed(entry, closes)
            # The snapshot may have brought the previous close after a split: it explains the print.
            if verdict is None and not self._is_incredible(entry, received_us):
                verdict = True
            if verdict is None:
                self.history.quarantined.append(entry)
            elif verdict:
                self.history.insert(entry, _ALWAYS)
        return any(
            received_us - (each.event.received or 0) < BAR_DELAY_US
            for each in self.history.quarantined
        )

    def _will_stream(self, at_ns: int) -> bool:
        """Return whether the stream will bring a trade of this time that REST shows.

        If REST's trade were applied at once, those on their way would be late, and no client would
        see them.
        """
        return (
            # The stream has brought the last price, so it brings this symbol.
            self._at_ns > self._unstreamed_ns
            # An older trade is not on its way any more: the stream has brought a newer one.
            and at_ns >= self._at_ns
            and self._context.newest_streamed_ns - at_ns < PASSED_NS
        )

    def _await(self, at_ns: int) -> None:
        """Expect a trade of this time from the stream, unless an earlier one is still expected."""
        if self._awaited_ns <= self.known_ns:
            self._awaited_ns, self._looks = at_ns, 0

    def _find(self, withdrawn: Withdrawn) -> Found | None:
        """Return the place of a withdrawn trade, and remember that it is withdrawn."""
        self._withdrawn.append(withdrawn.key)
        found = self.history.find(withdrawn)
        if found is not None and found.entry.id is None:
            # It only resembles the withdrawn trade: a price out of Redis or a bar's close.
            self._needs_lookup = True
        return found

    def _settle_without(self, received_us: int) -> Price | None:
        """Settle after a withdrawal. If no trade is left, the old price stays until REST's."""
        last = self._settle(received_us)
        if self._at_ns < 0:
            self._needs_lookup = True
        return last

    def _settle(self, received_us: int | None) -> Price | None:
        """Find the last price again; return it if it is another one than the published one."""
        newest = self.history.newest()
        if newest is None:
            self._at_ns, self._price = -1, 0.0
            return None
        self._at_ns, self._price, last = newest.at_ns, newest.price, newest.event
        self._compare(last)
        if last is self.published:
            return None
        last.received = received_us
        self.published = last
        return last

    def _compare(self, last: Price) -> bool:
        """Set the change of the last price; return whether its previous close is new."""
        close = self._closes.by_day.get(day_of(self._at_ns))
        if close is None or last.price is None or close == last.previous_close:
            return False
        last.previous_close = close
        last.change, last.change_percent = change(last.price, close)
        return True
