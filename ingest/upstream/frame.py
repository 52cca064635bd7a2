"""What a frame of the stock stream means: prices to publish, halts, answers, errors."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import structlog

from ingest.alpaca import codes
from ingest.alpaca import messages as wire
from ingest.bus.announcer import Announcer
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Rejection, Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.quotes import quote_event
from ingest.market.symbol_states import SymbolStates
from ingest.upstream import tape
from ingest.upstream.feed_error import HARMLESS, FeedError
from shared.topics import QUOTE, TRADE, topic

log = structlog.get_logger()

REJECTIONS: Mapping[int, Rejection] = MappingProxyType(
    {
        codes.INVALID_SYNTAX: Rejection.SYNTAX,
        codes.SYMBOL_LIMIT: Rejection.SYMBOL_LIMIT,
        codes.INSUFFICIENT_SUBSCRIPTION: Rejection.NOT_IN_PLAN,
        codes.INVALID_ACTION: Rejection.NO_SUCH_CHANNEL,
    }
)
"""Alpaca's codes that can answer a change of the subscription."""

UNKNOWN_KINDS = 50

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


class FrameReader:
    """Applies frames; one bad message never takes the others of its frame with it.

    ``monotonic`` seconds are arguments, as is ``received_us``, the ingest's clock in unix µs.
    """

    def __init__(
        self,
        prices: LastPrices,
        states: SymbolStates,
        lag: Lag,
        demand: Demand,
        subscription: Subscription,
        announcer: Announcer,
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

    def apply(self, messages: Sequence[wire.Message], received_us: int, monotonic: float) -> bool:
        """Apply a frame's messages in order; return whether the subscription was answered.

        Raises:
            FeedError: Alpaca ends the connection.
        """
        self.frames += 1
        answered = False
        for message in messages:
            if type(message) is wire.Trade:
                self._take_trade(message, received_us, monotonic)
            elif isinstance(message, wire.Subscribed):
                before = self._subscription.acknowledged[TRADES]
                self._subscription.on_acknowledged(message.channels())
                self._prices.begin(before ^ self._subscription.acknowledged[TRADES])
                answered = True
            elif isinstance(message, wire.Error):
                answered = self._take_error(message) or answered
            else:
                self._take_other(message, received_us)
        return answered

    def _take_trade(self, trade: wire.Trade, received_us: int, monotonic: float) -> None:
        symbol = trade.symbol
        if symbol not in self._subscription.acknowledged[TRADES]:
            self.unsubscribed += 1
            return
        self.ticks += 1
        try:
            at = wire.nanoseconds(trade.time)
            last = self._prices.on_trade(trade, at, received_us)
        except MALFORMED as error:
            self._note_malformed(trade, error)
            return
        self._lag.add(received_us, at)
        self._states.on_trade(symbol, monotonic)
        if last is not None:
            self._announcer.price(last, traded=True)
        if self._demand.watches(topic(TRADE, symbol)):
            eligible = self._prices.is_eligible(trade, at)
            self._announcer.trade(tape.print_event(trade, received_us, eligible=eligible))

    def _take_other(self, message: wire.Message, received_us: int) -> None:
        try:
            match message:
                case wire.Quote():
                    if self._demand.watches(topic(QUOTE, message.symbol)):
                        self._announcer.quote(quote_event(message, received_us))
                case wire.TradingStatus():
                    self._states.on_trading_status(message)
                case wire.Correction():
                    self._take_correction(message, received_us)
                case wire.Cancel():
                    self._take_cancel(message, received_us)
                case wire.Unknown(kind):
                    self._note_unknown(kind)
                case wire.Malformed("error", problem):
                    raise FeedError(f"an error of another form: {problem}")
                case wire.Malformed(kind, problem):
                    self._note_malformed(kind, problem)
                case _:
                    pass
        except MALFORMED as error:
            self._note_malformed(message, error)

    def _take_correction(self, correction: wire.Correction, received_us: int) -> None:
        last = self._prices.on_correction(correction, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, correction.symbol)):
            self._announcer.correction(tape.correction_event(correction, received_us))

    def _take_cancel(self, cancel: wire.Cancel, received_us: int) -> None:
        last = self._prices.on_cancel(cancel, received_us)
        if last is not None:
            self._announcer.price(last, traded=False)
        if self._demand.watches(topic(TRADE, cancel.symbol)):
            self._announcer.cancel(tape.cancel_event(cancel, received_us))

    def _take_error(self, error: wire.Error) -> bool:
        if error.code == HARMLESS:
            return False
        rejection = None if error.code is None else REJECTIONS.get(error.code)
        if rejection is None or not self._subscription.concerns_change(rejection):
            raise FeedError(error.msg, error.code)
        for symbol in self._subscription.on_rejected(rejection):
            log.warning("symbol refused by Alpaca", symbol=symbol, code=error.code, error=error.msg)
            if rejection is Rejection.SYNTAX:
                self._announcer.price(self._prices.reject(symbol), traded=False)
        return True

    def _note_unknown(self, kind: str) -> None:
        known = kind in self.unknown or len(self.unknown) < UNKNOWN_KINDS
        self.unknown[kind[:20] if known else "other"] += 1

    def _note_malformed(self, what: object, problem: object) -> None:
        self.malformed += 1
        log.debug("malformed message", message=repr(what)[:200], error=repr(problem))
