"""All that is known of one symbol's trading: its trades, its previous closes, its last price."""

from collections import deque

from ingest.market import quarantine
from ingest.market.conditions import Eligibility
from ingest.market.previous_close import PreviousCloses, change
from ingest.market.prints import Correction, Trade, TradeId
from ingest.market.snapshot import NewestCloses
from ingest.market.tape_history import DEPTH, Entry, TapeHistory
from ingest.market.trading_day import day_of
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price

PASSED_NS = 3_000_000_000
"""A trade that the stream has not brought when it has come so much further is a missed one."""

LOOKS = 5
"""One that has not come after so many looks, a second apart, is missed as well. They are counted,
not timed: while this process is stopped the stream waits with it."""

_ALWAYS = Eligibility.ALWAYS

BAR_DELAY_US = 120 * 1_000_000
"""A minute's bar is there soon after it: a held print is asked for no longer than this."""


class SymbolTape:
    """A symbol's state, with the last price's own values at hand for every tick.

    ``at`` is its time in unix ns, -1 for none; ``seen`` that of the newest trade of any kind;
    ``told`` that of the newest last price which the stream, as it is now, has not brought itself.
    """

    __slots__ = (
        "at",
        "awaited",
        "closes",
        "doubtful",
        "history",
        "looks",
        "price",
        "retracted",
        "seen",
        "symbol",
        "told",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.history = TapeHistory()
        self.closes = PreviousCloses()
        self.at = -1
        self.price = 0.0
        self.seen = -1
        self.told = -1
        self.awaited = -1
        self.looks = 0
        self.doubtful = False
        """Whether REST is to be asked: the last price is not sure."""
        self.retracted: deque[tuple[TradeId, str | None, str | None, int]] = deque(maxlen=DEPTH)
        """Id, exchange, tape and day of trades that REST may still believe in."""

    @property
    def is_streamed(self) -> bool:
        """Whether the stream has brought the last price."""
        return self.at > self.told

    def event(
        self,
        trade: Trade | Correction,
        at: int,
        session: Session,
        received_us: int,
    ) -> Price:
        """Return a trade as the event that it makes as the last price."""
        price = trade.price
        close = self.closes.by_day.get(day_of(at))
        difference, fraction = (None, None) if close is None else change(price, close)
        return Price(
            symbol=self.symbol,
            price=price,
            size=trade.size,
            exchange=trade.exchange,
            conditions=trade.conditions or (),
            tape=trade.tape,
            session=session,
            timestamp=rfc3339.from_nanoseconds(at),
            previous_close=close,
            change=difference,
            change_percent=fraction,
            received=received_us,
        )

    def settle(self) -> Price | None:
        """Return what is the last price now, compared with the previous close of its day."""
        newest = self.history.newest()
        if newest is None:
            self.at, self.price = -1, 0.0
            return None
        self.at, _, last = newest
        self.price = last.price or 0.0
        self.compare(last)
        return last

    def compare(self, last: Price) -> bool:
        """Set the change of the last price anew; return whether its previous close is new."""
        close = self.closes.by_day.get(day_of(self.at))
        if close is None or last.price is None or close == last.previous_close:
            return False
        last.previous_close = close
        last.change, last.change_percent = change(last.price, close)
        return True

    def see(self, at: int, received_us: int) -> None:
        """Remember the time of a trade, unless it lies in the future."""
        if self.seen < at <= received_us * 1000 + quarantine.AHEAD_NS:
            self.seen = at

    def awaits(self, at: int, heard: int) -> bool:
        """Return whether a trade that REST shows is left to the stream, which will bring it.

        REST is mostly ahead: taken at once, its trade would make late all those on their way, and
        no client would see them. ``heard`` is the time (unix ns) of the trade, of any symbol, that
        the stream has brought last.
        """
        if not self.is_streamed or at < self.at or heard - at >= PASSED_NS:
            return False
        if self.awaited <= self.seen:
            self.awaited, self.looks = at, 0
        return True

    def look(self) -> bool:
        """Return, once, whether REST is to be asked; called every second.

        Where the stream has not brought what REST has shown, REST is believed again.
        """
        if self.awaited > self.seen:
            self.looks += 1
            if self.looks > LOOKS:
                self.awaited, self.told, self.doubtful = -1, self.at, True
        doubtful, self.doubtful = self.doubtful, False
        return doubtful

    def is_told(self, entry: Entry) -> bool:
        """Return whether the stream brings a trade that has had its turn, by REST or before.

        Of the trades of one moment REST shows the last: those that the stream brings before it are
        older. Should it never bring that one, REST is asked again.
        """
        at, number, _ = entry
        if self.history.knows(entry):
            if at == self.told and number == self.history.newest_id():
                self.told -= 1  # the stream has come as far as REST
            return True
        self.doubtful = self.doubtful or at == self.at == self.told
        return at == self.at == self.told

    def take_bar(
        self, at: int, close: float, session: Session, heard: int, received_us: int
    ) -> None:
        """Take the close of REST's minute bar where it is newer than any trade that we know."""
        regular = self.history.regular
        known = bool(regular) and at <= regular[-1][0]
        if known or self.awaits(at + quarantine.MINUTE_NS, heard):
            return
        bar = Trade(self.symbol, close, 0, at, None, None, None, None)
        event = self.event(bar, at, session, received_us)
        event.size = None
        self.history.insert((at, None, event), _ALWAYS)
        self.told = max(self.told, at)

    def has_retracted(self, trade: Trade) -> bool:
        """Return whether REST shows a trade that has been cancelled or corrected."""
        return (trade.id, trade.exchange, trade.tape, day_of(trade.at_ns)) in self.retracted

    def is_incredible(self, at: int, price: float, received_us: int) -> bool:
        """Return whether a print is to be held back until something confirms it."""
        if at < self.at:
            return False
        if at > max(received_us * 1000, self.at) + quarantine.AHEAD_NS:
            return True
        reference = self._reference(day_of(at))
        return reference is not None and quarantine.is_far_off(price, reference)

    def _reference(self, day: int) -> float | None:
        """Return what a price of a day is compared with; a split makes yesterday's worthless."""
        regular = self.history.regular
        if regular and day_of(regular[-1][0]) == day:
            return regular[-1][2].price
        return self.closes.by_day.get(day) or self.price or None

    def accept(self, entry: Entry, rule: Eligibility) -> None:
        """Take a credible trade; what was held back before a new one was wrong."""
        if rule is Eligibility.ALWAYS and entry[0] >= self.at:
            self.history.held.clear()
        self.history.insert(entry, rule)

    def hold(self, entry: Entry) -> None:
        """Hold a print back, or take it with those that confirm it."""
        history = self.history
        history.held = [*quarantine.still_held(history.held, entry[0]), entry]
        level = quarantine.believed(history.held)
        if level:
            history.held = []
            for each in level:
                history.insert(each, Eligibility.ALWAYS)

    def judge_held(self, closes: NewestCloses, received_us: int) -> bool:
        """Take or drop held prints as REST's bars and closes say; return whether to ask again."""
        held, self.history.held = self.history.held, []
        for entry in held:
            verdict = quarantine.confirmed(entry, closes)
            at, _, last = entry
            if verdict is None and not self.is_incredible(at, last.price or 0.0, received_us):
                verdict = True
            if verdict is None:
                self.history.held.append(entry)
            elif verdict:
                self.history.insert(entry, Eligibility.ALWAYS)
        return any(
            received_us - (last.received or 0) < BAR_DELAY_US for _, _, last in self.history.held
        )
