"""The effect of each message of the stock stream: prices, halts, answers, errors."""

from collections import Counter
from collections.abc import Sequence

import structlog

from ingest.alpaca import codes
from ingest.alpaca.messages import (
    Cancel,
    Correction,
    Error,
    Malformed,
    Message,
    Quote,
    Subscribed,
    Trade,
    TradingStatus,
    Unknown,
)
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Rejection, Subscription
from ingest.demand.wanted import Demand
from ingest.market import tape_events
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.quotes import quote_event
from ingest.market.symbol_states import SymbolStates
from ingest.upstream import translation
from ingest.upstream.announcements import Announcements
from ingest.upstream.translation import SUBSCRIPTION_REJECTIONS
from ingest.upstream.upstream_error import UpstreamError
from shared.topics import QUOTE, TRADE, topic

log = structlog.get_logger()

UNKNOWN_KINDS = 50

_INVALID_VALUE = (ValueError, ArithmeticError, OSError)
"""The errors of a message whose types are right and whose values are not; ``OSError`` is the C
library's for a time too far from 1970."""


class FrameReader:
    """Applies frames; one bad message does not cost the others of its frame.

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
    ) -> None:
        self.frames = 0
        self.ticks = 0
        self.malformed = 0
        self.unsubscribed = 0
        """Messages about symbols that are not, or no longer, subscribed."""
        self.unknown: Counter[str] = Counter()
        self._prices = prices
        self._states = states
        self._lag = lag
        self._demand = demand
        self._subscription = subscription
        self._announcer = announcer

    def apply(self, messages: Sequence[Message], received_us: int, monotonic: float) -> bool:
        """Apply a frame's messages in order; return whether the subscription was answered.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """
        self.frames += 1
        answered = False
        for message in messages:
            if type(message) is Trade:  # first: nearly all messages are trades
                self._on_trade(message, received_us, monotonic)
            elif isinstance(message, Subscribed):
                before = self._subscription.acknowledged[TRADES]
                self._subscription.on_acknowledged(message.channels())
                # The stream has no trade yet of a symbol that is new on it, and brings none of one
                # that left. For both, REST's newest trade is right until the next one here.
                self._prices.begin(before ^ self._subscription.acknowledged[TRADES])
                answered = True
            elif isinstance(message, Error):
                answered = self._on_error(message) or answered
            else:
                self._on_other(message, received_us)
        return answered

    def _on_trade(self, message: Trade, received_us: int, monotonic: float) -> None:
        symbol = message.symbol
        # For a moment after an unsubscribe, Alpaca sends the trades that were on their way.
        if symbol not in self._subscription.acknowledged[TRADES]:
            self.unsubscribed += 1
            return
        self.ticks += 1
        try:
            trade = translation.trade(message)
            last = self._prices.on_trade(trade, received_us)
        except _INVALID_VALUE as error:
            self._note_malformed(message, error)
            return
        # Every print shows that the stream lives and how late it is, eligible or not.
        self._lag.add(received_us, trade.at_ns)
        self._states.on_trade(symbol, monotonic)
        if last is not None:
            self._announcer.price(last, traded=True)
        # The tape shows ineligible prints too. It is published only while a client watches it.
        if self._demand.watches(topic(TRADE, symbol)):
            eligible = self._prices.is_eligible(trade)
            self._announcer.trade(tape_events.print_event(trade, received_us, eligible=eligible))

    def _on_other(self, message: Message, received_us: int) -> None:
        try:
            match message:
                case Quote():
                    # There are far more quotes than trades: one without a viewer goes no further.
                    if self._demand.watches(topic(QUOTE, message.symbol)):
                        best = translation.quote(message)
                        self._announcer.quote(quote_event(best, received_us))
                case TradingStatus():
                    self._states.on_trading_status(translation.trading_status(message))
                case Correction():
                    self._on_correction(message, received_us)
                case Cancel():
                    self._on_cancel(message, received_us)
                case Unknown(kind):
                    self._note_unknown(kind)
                case Malformed("error", problem):
                    # Its code is unreadable: it may be one that makes this connection useless.
                    raise UpstreamError(f"an error of another form: {problem}")
                case Malformed(kind, problem):
                    self._note_malformed(kind, problem)
                case _:
                    pass
        except _INVALID_VALUE as error:
            self._note_malformed(message, error)

    def _on_correction(self, message: Correction, received_us: int) -> None:
        correction = translation.correction(message)
        last = self._prices.on_correction(correction, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, correction.symbol)):
            self._announcer.withdrawal(tape_events.correction_event(correction, received_us))

    def _on_cancel(self, message: Cancel, received_us: int) -> None:
        cancel = translation.cancel(message)
        last = self._prices.on_cancel(cancel, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, cancel.symbol)):
            self._announcer.withdrawal(tape_events.cancel_event(cancel, received_us))

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
                message="Alpaca rejects a symbol; it is tried again later",
                symbol=symbol,
                code=error.code,
                error=error.msg,
            )
            # Only this says that there is no such symbol. One beyond the limit has a price by REST.
            if rejection is Rejection.SYNTAX:
                self._announcer.price(self._prices.reject(symbol), traded=False)
        return True

    def _note_unknown(self, kind: str) -> None:
        # The kinds are Alpaca's text: their number and their length are bounded.
        known = kind in self.unknown or len(self.unknown) < UNKNOWN_KINDS
        self.unknown[kind[:20] if known else "other"] += 1

    def _note_malformed(self, what: object, problem: object) -> None:
        self.malformed += 1
        log.debug(
            "message_malformed",
            message="a message of Alpaca has another form; it is skipped",
            content=repr(what)[:200],
            error=repr(problem),
        )
