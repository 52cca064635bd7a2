"""What a frame of Alpaca's means: prices to publish, answers to the subscription, errors."""

from collections.abc import Sequence
from typing import Any

import structlog

from ingest.bus.outbox import Outbox, Publication
from ingest.demand.subscription import INVALID_SYNTAX, SYMBOL_LIMIT, Subscription
from ingest.market.last_price import LastPrices
from ingest.upstream.feed_error import FeedError
from shared import price
from shared.price import Price
from shared.topics import price_topic

log = structlog.get_logger()

HARMLESS = 403
"""``already authenticated``: nothing to do."""

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


class FrameReader:
    """Applies frames; one bad message never takes the others of its frame with it."""

    def __init__(self, prices: LastPrices, subscription: Subscription, outbox: Outbox) -> None:
        self.frames = 0
        self.ticks = 0
        self.malformed = 0
        self.unknown: dict[str, int] = {}
        self.lag_ms: float | None = None
        self._prices = prices
        self._subscription = subscription
        self._outbox = outbox

    def apply(self, messages: Sequence[dict[str, Any]], received_us: int) -> bool:
        """Apply a frame's messages in order; return whether the subscription was answered.

        Raises:
            FeedError: Alpaca ends the connection.
        """
        self.frames += 1
        answered = False
        for message in messages:
            kind = message.get("T")
            if kind == "t":
                self._take_trade(message, received_us)
            elif kind == "subscription":
                answered = self._take_answer(message) or answered
            elif kind == "error":
                answered = self._take_error(message) or answered
            elif kind not in ("success", "c", "x"):
                self.unknown[str(kind)] = self.unknown.get(str(kind), 0) + 1
        return answered

    def publish(self, last: Price, *, traded: bool) -> None:
        """Queue a price for publication."""
        self._outbox.offer(Publication(price_topic(last.symbol), price.encode(last), traded))

    def publish_all(self) -> None:
        """Queue the present price of every symbol, for a new epoch or an empty Redis."""
        for last in self._prices.by_symbol.values():
            self.publish(last, traded=False)

    def _take_trade(self, trade: dict[str, Any], received_us: int) -> None:
        self.ticks += 1
        try:
            last = self._prices.on_trade(trade, received_us)
            self.lag_ms = received_us / 1000 - trade["t"].to_unix_nano() / 1e6
        except MALFORMED as error:
            self.malformed += 1
            log.debug("malformed trade", trade=repr(trade)[:200], error=repr(error))
            return
        if last is not None:
            self.publish(last, traded=True)

    def _take_answer(self, message: dict[str, Any]) -> bool:
        symbols = message.get("trades") or []
        if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
            self.malformed += 1
            return False
        self._subscription.on_acknowledged(symbols)
        return True

    def _take_error(self, message: dict[str, Any]) -> bool:
        code = message.get("code")
        if not isinstance(code, int):
            code = None
        text = str(message.get("msg", "an error without a message"))
        if code in (INVALID_SYNTAX, SYMBOL_LIMIT):
            for symbol in self._subscription.on_refused(code):
                self._refused(symbol, code, text)
            return True
        if code != HARMLESS:
            raise FeedError(text, code)
        return False

    def _refused(self, symbol: str, code: int, text: str) -> None:
        log.warning("symbol refused by Alpaca", symbol=symbol, code=code, error=text)
        if code == INVALID_SYNTAX:
            self._prices.by_symbol[symbol] = Price(symbol=symbol, reason="unknown_symbol")
            self.publish(self._prices.by_symbol[symbol], traded=False)
