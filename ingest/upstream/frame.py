"""The effect of each message of the stock stream: prices, halts, answers, errors."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from ingest.alpaca import codes
from ingest.alpaca.messages import (
    Bar,
    Cancel,
    Correction,
    DayBar,
    Error,
    Message,
    MinuteBar,
    OrderBook,
    Quote,
    Subscribed,
    Trade,
    UpdatedBar,
    nanoseconds,
)
from ingest.alpaca.unreadable import LostFields, Malformed, Unknown
from ingest.bars.bar_table import BarTable
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market import tape_events
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.prints import print_of
from ingest.market.quotes import quote_event
from ingest.market.symbol_states import SymbolStates
from ingest.market.tape import Tape
from ingest.upstream import translation
from ingest.upstream.announcements import Announcements
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.trading_reports import TradingReports
from ingest.upstream.translation import SUBSCRIPTION_REJECTIONS
from ingest.upstream.upstream_error import UpstreamError
from shared.topics import QUOTE, TRADE, topic

log = structlog.get_logger()

UNKNOWN_KINDS = 50


class BookReader(Protocol):
    """Applies the messages about order books; ``now`` is monotonic seconds."""

    def on_message(self, message: OrderBook, received_us: int, now: float, /) -> None:
        """Apply a message.

        Raises:
            ValueError: its time is none.
        """

    def on_unreadable(self, symbol: str, now: float, /) -> None:
        """Note that a message about a book is lost; an empty symbol: about any of them."""


class FrameReader:
    """Applies frames; one bad message does not cost the others of its frame.

    ``name`` is the stream's in reports. ``is_indicative``: the quotes are marked as derived.
    ``monotonic`` seconds are arguments, as is ``received_us``, the ingest's clock in unix µs.
    """

    def __init__(
        self,
        prices: LastPrices,
        states: SymbolStates,
        lag: Lag,
        demand: Demand,
        subscription: Subscription,
        announcer: Announcements,
        bars: BarTable,
        books: BookReader | None = None,
        *,
        name: str = "stocks",
        is_indicative: bool = False,
    ) -> None:
        self._is_indicative = is_indicative
        self._books = books
        self.malformed = MalformedData(name)
        self.frames = 0
        self.ticks = 0
        self.unsubscribed = 0
        """Messages about symbols that are not, or no longer, subscribed."""
        self.reports = TradingReports(states, demand, announcer, self.malformed)
        self.unknown: Counter[str] = Counter()
        self.unread: set[str] = set()
        """The watched tapes of which a print could not be read, until ``take_unread``."""
        self._prices = prices
        self._states = states
        self._lag = lag
        self._demand = demand
        self._subscription = subscription
        self._announcer = announcer
        self._tapes: dict[str, Tape] = {}
        """The tapes of subscribed symbols that have traded: one look-up for each print."""
        self._tapes_of: tuple[object, int] = (None, 0)
        """The subscription and the number of forgotten tapes for which these are right."""
        self._bars = bars
        self._charted = bars.symbols

    def apply(self, messages: Sequence[Message], received_us: int, monotonic: float) -> bool:
        """Apply a frame's messages in order; return whether the subscription was answered.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        self.frames += 1
        self._follow_tapes()
        answered = False
        for message in messages:
            try:
                if type(message) is Trade:  # first: nearly all messages are trades
                    self._on_trade(message, received_us, monotonic)
                else:
                    answered = self._on_other(message, received_us, monotonic) or answered
            except UpstreamError:
                raise
            # A value that no market has, such as a time of the year 10000.
            except ValueError as error:
                self.malformed.note(type(message).__name__, error, message)
            except Exception as error:
                # No message may end the process, which would lose the prices of all symbols. This
                # is the boundary for the errors that no rule above expects.
                self.malformed.note_escaped(type(message).__name__, error)
                # It may have changed half of its book.
                if type(message) is OrderBook and self._books is not None:
                    self._books.on_unreadable(message.symbol, monotonic)
        return answered

    def take_unread(self) -> set[str]:
        """Return, once, the watched tapes of which a print could not be read."""
        unread, self.unread = self.unread, set()
        return unread

    def _follow_tapes(self) -> None:
        """Forget the tapes if symbols have left the subscription, or if a tape was forgotten."""
        now = (self._subscription.acknowledged[TRADES], self._prices.forgotten)
        if now[0] is not self._tapes_of[0] or now[1] != self._tapes_of[1]:
            self._tapes_of = now
            self._tapes.clear()

    def _tape_of(self, symbol: str) -> Tape | None:
        """Return the tape of a symbol, and keep it; None if the symbol is not subscribed."""
        if symbol not in self._subscription.acknowledged[TRADES]:
            return None
        tape = self._tapes[symbol] = self._prices.tape(symbol)
        return tape

    def _on_trade(self, message: Trade, received_us: int, monotonic: float) -> None:
        symbol = message.symbol
        # For a moment after an unsubscribe, Alpaca sends the trades that were on their way.
        tape = self._tapes.get(symbol) or self._tape_of(symbol)
        if tape is None:
            self.unsubscribed += 1
            return
        self.ticks += 1
        try:
            at_ns = nanoseconds(message.time)
        except ValueError:  # its time is none: the symbol has traded, but at an unknown time
            self._on_unreadable_trade(symbol, monotonic)
            raise
        last = tape.on_trade(message, at_ns, received_us)
        # Every print shows that the stream lives and how late it is, eligible or not.
        self._lag.add(received_us, at_ns)
        tape.traded_at = monotonic
        if last is not None:
            self._announcer.price(last, traded=True)
        # The tape shows ineligible prints too. It is published only while a client watches it.
        if symbol in self._demand.tapes:
            trade = print_of(message, at_ns)
            eligible, delayed = self._prices.is_eligible(trade), self._prices.is_delayed
            event = tape_events.print_event(trade, received_us, eligible=eligible, delayed=delayed)
            self._announcer.trade(event)
        if symbol in self._charted:
            self._bars.on_trade(message, at_ns, received_us * 1000)

    def _on_other(self, message: Message, received_us: int, monotonic: float) -> bool:
        """Apply any other message; return whether it answers the change in flight."""
        match message:
            case Quote():
                self._on_quote(message, received_us)
            case MinuteBar() | UpdatedBar() | DayBar():
                self._on_bar(message, received_us * 1000)
            case OrderBook():
                self._on_book(message, received_us, monotonic)
            case Subscribed():
                self._on_subscribed(message)
                return True
            case Error():
                return self._on_error(message)
            case Unknown(kind):
                self._note_unknown(kind)
            case Malformed() | LostFields():
                self._on_malformed(message, monotonic)
            case Correction() | Cancel():
                self._on_withdrawal(message, received_us)
            case _:
                self.reports.on_report(message, received_us, monotonic)
        return False

    def _on_quote(self, message: Quote, received_us: int) -> None:
        # There are far more quotes than trades: one that no client watches goes no further.
        if self._demand.watches(topic(QUOTE, message.symbol)):
            best = quote_event(translation.quote(message), received_us)
            if self._is_indicative:
                best.indicative = True
            self._announcer.quote(best)

    def _on_book(self, message: OrderBook, received_us: int, monotonic: float) -> None:
        if self._books is not None:
            self._books.on_message(message, received_us, monotonic)

    def _on_bar(self, message: Bar, received_ns: int) -> None:
        # Those of a chart that has just been closed are on their way for a moment.
        if message.symbol not in self._charted:
            return
        bar = translation.streamed_bar(message)
        if isinstance(message, DayBar):
            self._bars.on_day_bar(bar, received_ns)
        else:
            self._bars.on_bar(bar, received_ns)

    def _on_malformed(self, message: Malformed | LostFields, monotonic: float) -> None:
        # Its code is unreadable: it may be one that makes this connection useless.
        if message.kind == "error":
            raise UpstreamError(f"an error of another form: {message.problem}")
        self.malformed.note(message.kind, message.problem)
        if isinstance(message, LostFields):
            return
        if self._books is not None and message.kind in ("o", ""):
            self._books.on_unreadable(message.symbol, monotonic)
        # It has traded, and the price that clients see is not that of this trade.
        if message.kind == "t" and message.symbol in self._subscription.acknowledged[TRADES]:
            self._on_unreadable_trade(message.symbol, monotonic)

    def _on_unreadable_trade(self, symbol: str, monotonic: float) -> None:
        self._states.on_unreadable_trade(symbol, monotonic)
        if symbol in self._demand.tapes:
            self.unread.add(symbol)

    def _on_subscribed(self, message: Subscribed) -> None:
        before = self._subscription.acknowledged[TRADES]
        self._subscription.on_acknowledged(message.channels())
        # The stream has no trade yet of a symbol that is new on it, and brings none of one that
        # left. For both, REST's newest trade is right until the next one here.
        self._prices.begin(before ^ self._subscription.acknowledged[TRADES])
        self._follow_tapes()

    def _on_withdrawal(self, message: Correction | Cancel, received_us: int) -> None:
        if isinstance(message, Correction):
            self._on_correction(message, received_us)
        else:
            self._on_cancel(message, received_us)

    def _on_correction(self, message: Correction, received_us: int) -> None:
        correction = translation.correction(message)
        last = self._prices.on_correction(correction, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, correction.symbol)):
            self._announcer.withdrawal(tape_events.correction_event(correction, received_us))
        if correction.symbol in self._charted:
            self._bars.on_correction(correction)

    def _on_cancel(self, message: Cancel, received_us: int) -> None:
        cancel = translation.cancel(message)
        last = self._prices.on_cancel(cancel, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, cancel.symbol)):
            self._announcer.withdrawal(tape_events.cancel_event(cancel, received_us))
        if cancel.symbol in self._charted:
            self._bars.on_cancel(cancel)

    def _on_error(self, error: Error) -> bool:
        """Apply an error; return whether it answers the change in flight."""
        # The session is authenticated, whatever sent the keys twice: no reaction is needed.
        if error.code == codes.ALREADY_AUTHENTICATED:
            return False
        # A rejected change leaves the subscription as it was; any other error ends the connection.
        rejection = None if error.code is None else SUBSCRIPTION_REJECTIONS.get(error.code)
        if rejection is None or not self._subscription.concerns_change(rejection):
            raise UpstreamError(error.msg, error.code)
        for symbol in self._subscription.on_rejected(rejection):
            log.warning(
                "symbol_rejected",
                message="Alpaca's stream rejects a symbol; REST looks it up, and it is tried again",
                symbol=symbol,
                code=error.code,
                error=error.msg,
            )
        return True

    def _note_unknown(self, kind: str) -> None:
        # The kinds are Alpaca's text: their number and their length are bounded.
        known = kind in self.unknown or len(self.unknown) < UNKNOWN_KINDS
        self.unknown[kind[:20] if known else "other"] += 1
