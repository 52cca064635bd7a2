"""The last price of each symbol, as the tape's rules make it."""

import math
from collections.abc import Iterable, Set

from ingest.market.conditions import Eligibility, eligibility
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Cancel, Correction, Trade, is_price
from ingest.market.quarantine import AHEAD_NS, FAR_OFF, is_outside
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_tape import SymbolTape
from ingest.market.tape_history import Entry, Print
from ingest.market.trade_counts import TradeCounts
from ingest.market.trading_day import day_of
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price

_ALWAYS = Eligibility.ALWAYS
_INFINITE = math.inf
_END_OF_TIME = 1 << 63


class LastPrices:
    """Turns trades into ``Price`` events, the newest of each symbol; ``hours`` may be replaced."""

    def __init__(self, hours: MarketHours) -> None:
        self.hours = hours
        self.by_symbol: dict[str, Price] = {}
        self.counts = TradeCounts()
        self._tapes: dict[str, SymbolTape] = {}
        self._heard = -1

    def begin(self, symbols: Iterable[str]) -> None:
        """Believe REST until the stream brings a trade of these, which it has just got or lost."""
        for symbol in symbols:
            if (tape := self._tapes.get(symbol)) is not None:
                tape.told = tape.at

    def on_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Take a print; return the new last price, if it is one.

        ``received_us`` is unix µs.

        Raises:
            ValueError: its price is no price, or its time no time.
        """
        price, at = trade.price, trade.at_ns
        if not 0 < price < _INFINITE:
            raise ValueError(f"{price!r} is no price")
        tape = self._tapes.get(trade.symbol) or self._tape(trade.symbol)
        session = self.hours.session_at(at)
        rule = eligibility(trade.tape, trade.conditions, session)
        before = tape.price
        self._heard = at
        if (
            rule is not _ALWAYS
            or not tape.at <= at <= received_us * 1000 + AHEAD_NS
            or at == tape.told
            or price > FAR_OFF * before
            or before > FAR_OFF * price
            or session == "closed"
            or tape.history.held
        ):
            return self._take_unusual(tape, trade, session, rule, received_us)
        last = tape.event(trade, at, session, received_us)
        tape.history.append((at, trade.id, last))
        tape.at, tape.price = at, price
        if at > tape.seen:
            tape.seen = at
        self.by_symbol[trade.symbol] = last
        return last

    def on_rest_trade(self, trade: Trade, received_us: int) -> Price | None:
        """Take a print that REST brings, perhaps again; return the new last price, if it is one."""
        tape = self._tapes.get(trade.symbol) or self._tape(trade.symbol)
        return self._take_rest_trade(tape, trade, received_us)

    def is_eligible(self, trade: Trade) -> bool:
        """Return whether a trade, already taken by ``on_trade``, could move the last price.

        Its conditions allow it, and it is not in quarantine; whether it came late does not matter.
        """
        at = trade.at_ns
        rule = eligibility(trade.tape, trade.conditions, self.hours.session_at(at))
        tape = self._tapes.get(trade.symbol)
        if rule is Eligibility.NEVER or tape is None or is_outside(self.hours, at):
            return False
        if rule is Eligibility.FIRST_ONLY:
            newest = tape.history.newest()
            return newest is not None and newest[:2] == (at, trade.id)
        return not any(each[:2] == (at, trade.id) for each in tape.history.held)

    def on_cancel(self, cancel: Cancel, received_us: int) -> Price | None:
        """Forget a trade; return the last price if it is another one now."""
        gone = Print.cancelled(cancel)
        self.counts.cancelled += 1
        tape, found = self._find(cancel.symbol, gone)
        if found is None:
            return None
        entries, index = found
        del entries[index]
        return self._settle_anew(tape, received_us)

    def on_correction(self, correction: Correction, received_us: int) -> Price | None:
        """Put a trade right, at its own time; return the last price if it is another one now.

        A trade that could not be the last price before is not known here: its correction is
        without effect.

        Raises:
            ValueError: the new price is no price.
        """
        if not is_price(correction.price):
            raise ValueError(f"{correction.price!r} is no price")
        wrong = Print.corrected(correction)
        self.counts.corrected += 1
        tape, found = self._find(correction.symbol, wrong)
        if found is None:
            return None
        entries, index = found
        at = entries[index][0]
        session = self.hours.session_at(at)
        rule = eligibility(correction.tape, correction.conditions, session)
        corrected = tape.event(correction, at, session, received_us)
        tape.history.replace(found, (at, correction.id, corrected), rule)
        return self._settle_anew(tape, received_us)

    def restore(self, price: Price) -> None:
        """Take a price that an earlier leader published, unless the stream has brought one."""
        tape = self._tapes.get(price.symbol) or self._tape(price.symbol)
        if price.timestamp is None or price.price is None or tape.at >= 0:
            return
        at = rfc3339.to_nanoseconds(price.timestamp)
        tape.closes.restore(day_of(at), price.previous_close)
        tape.accept((at, None, price), _ALWAYS)
        tape.seen = max(tape.seen, at)
        self._settle(tape, price.received)
        tape.told = tape.at

    def on_snapshot(
        self,
        symbol: str,
        snapshot: Snapshot | None,
        received_us: int,
        previous_close: float | None = None,
    ) -> Price | None:
        """Take a symbol's REST snapshot, or None where Alpaca does not know the symbol.

        ``previous_close`` is that of the day of ``received_us``, adjusted for splits, if known.
        Returns the price to publish, if it or its previous close is new: the last trade if it is
        eligible, else the close of the last minute bar, unless the stream has brought a newer one.
        """
        tape = self._tapes.get(symbol) or self._tape(symbol)
        tape.history.asked = True
        if snapshot is None:
            return self.reject(symbol) if tape.at < 0 else None
        trade, closes = snapshot.trade, snapshot.closes
        before = self.by_symbol.get(symbol)
        tape.closes.learn(closes, day_of(received_us * 1000), previous_close)
        compared = before is not None and tape.compare(before)
        if trade is not None:
            self._take_rest_trade(tape, trade, received_us)
        if closes.minute is not None:
            self._take_bar(tape, *closes.minute, received_us)
        if tape.judge_held(closes, received_us):
            tape.doubtful = True
        self._settle(tape, received_us)
        last = self.by_symbol.get(symbol)
        if last is not None and last.price is not None and tape.at < 0:
            last = self.by_symbol[symbol] = Price(symbol=symbol, reason="no_trade_seen")
        return last if compared or last is not before else None

    def reject(self, symbol: str) -> Price:
        """Return what to publish of a symbol that Alpaca refuses; a trade is proof of life."""
        unknown = self.by_symbol[symbol] = Price(symbol=symbol, reason="unknown_symbol")
        return unknown

    def forget_others(self, wanted: Set[str]) -> None:
        """Forget the symbols that nobody wants; Redis keeps their last prices."""
        for symbol in self.by_symbol.keys() - wanted:
            del self.by_symbol[symbol]
        for symbol in self._tapes.keys() - wanted:
            del self._tapes[symbol]

    def take_doubtful(self) -> list[str]:
        """Return, once, the symbols to look up by REST: their last price is not sure.

        To be called once a second.
        """
        return [symbol for symbol, tape in self._tapes.items() if tape.look()]

    def timestamp_of(self, symbol: str) -> int | None:
        """Return the time (unix ns) of the newest trade known of a symbol, eligible or not."""
        tape = self._tapes.get(symbol)
        return None if tape is None or tape.seen < 0 else tape.seen

    def _tape(self, symbol: str) -> SymbolTape:
        tape = self._tapes[symbol] = SymbolTape(symbol)
        return tape

    def _take_unusual(
        self,
        tape: SymbolTape,
        trade: Trade,
        session: Session,
        rule: Eligibility,
        received_us: int,
    ) -> Price | None:
        at = trade.at_ns
        if not 0 <= at < _END_OF_TIME:
            raise ValueError(f"{at} ns is no time of a trade")
        if session == "closed" and is_outside(self.hours, at):
            self.counts.quarantined += 1
            return None
        tape.see(at, received_us)
        if rule is Eligibility.NEVER:
            self.counts.count_ineligible(trade)
            return None
        entry = (at, trade.id, tape.event(trade, at, session, received_us))
        return None if tape.is_told(entry) else self._admit(tape, entry, rule, received_us)

    def _take_rest_trade(self, tape: SymbolTape, trade: Trade, received_us: int) -> Price | None:
        at = trade.at_ns
        if is_outside(self.hours, at) or tape.has_retracted(trade):
            return None
        session = self.hours.session_at(at)
        rule = eligibility(trade.tape, trade.conditions, session)
        entry = (at, trade.id, tape.event(trade, at, session, received_us))
        if tape.history.knows(entry) or tape.awaits(at, self._heard):
            return None
        tape.see(at, received_us)
        if rule is Eligibility.NEVER:
            return None
        tape.history.drop_nameless(at, trade.price)
        last = self._admit(tape, entry, rule, received_us)
        if tape.at == at:
            tape.told = at
        return last

    def _take_bar(self, tape: SymbolTape, at: int, close: float, received_us: int) -> None:
        if not is_outside(self.hours, at) and at <= received_us * 1000 + AHEAD_NS:
            session = self.hours.session_at(at)
            tape.take_bar(at, close, session, self._heard, received_us)

    def _admit(
        self, tape: SymbolTape, entry: Entry, rule: Eligibility, received_us: int
    ) -> Price | None:
        at, _, event = entry
        if tape.is_incredible(at, event.price or 0.0, received_us):
            self.counts.quarantined += 1
            if rule is Eligibility.ALWAYS:
                tape.doubtful = True
                tape.hold(entry)
            return self._settle(tape, received_us)
        late = at < tape.at
        tape.accept(entry, rule)
        last = self._settle(tape, received_us)
        if last is None and rule is Eligibility.FIRST_ONLY:
            self.counts.ineligible += 1
        elif last is None and late:
            self.counts.late += 1
        return last

    def _find(
        self, symbol: str, wanted: Print
    ) -> tuple[SymbolTape, tuple[list[Entry], int] | None]:
        tape = self._tapes.get(symbol) or self._tape(symbol)
        tape.retracted.append(wanted[:4])
        found = tape.history.find(wanted)
        if found is not None and found[0][found[1]][1] is None:
            tape.doubtful = True
        return tape, found

    def _settle(self, tape: SymbolTape, received_us: int | None) -> Price | None:
        """Return the last price if it is another one than before."""
        last = tape.settle()
        if last is None or last is self.by_symbol.get(tape.symbol):
            return None
        last.received = received_us
        self.by_symbol[tape.symbol] = last
        return last

    def _settle_anew(self, tape: SymbolTape, received_us: int) -> Price | None:
        """Settle after a retraction; where no trade remains, the old price stands until REST's."""
        last = self._settle(tape, received_us)
        if tape.at < 0:
            tape.doubtful = True
        return last
