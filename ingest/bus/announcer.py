"""Every event that the ingest publishes, encoded once and put into the outbox."""

from collections.abc import Callable, Iterable

from ingest.bus.outbox import Outbox, Publication
from ingest.market.recent_prints import RecentPrints
from shared import account, bar, gap, news, order, position, price, quote, symbol_status, trade
from shared.account import Account
from shared.bar import Bar
from shared.gap import GAP, Gap, GapReason
from shared.news import News
from shared.order import OrderUpdate
from shared.position import Position
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import (
    ACCOUNT,
    DAY_BAR,
    EVERYTHING,
    NEWS,
    ORDERS,
    POSITION,
    PRICE,
    QUOTE,
    STATUS,
    TRADE,
    topic,
)
from shared.trade import Cancel, Correction, Trade


class Announcer:
    """Knows the topic of each event; what becomes of it is the outbox' business.

    ``on_price`` is called with the symbol of each last price.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.recent = RecentPrints()
        self.on_price: Callable[[str], None] = lambda _: None
        self._outbox = outbox

    def price(self, last: Price, *, traded: bool) -> None:
        """Announce a last price. ``traded``: it happened just now."""
        self._outbox.offer(Publication(topic(PRICE, last.symbol), price.encode(last), traded))
        self.on_price(last.symbol)

    def quote(self, best: Quote) -> None:
        """Announce a best bid and offer."""
        self._outbox.offer(Publication(topic(QUOTE, best.symbol), quote.encode(best)))

    def status(self, status: SymbolStatus) -> None:
        """Announce what may be expected of a symbol."""
        body = symbol_status.encode(status)
        self._outbox.offer(Publication(topic(STATUS, status.symbol), body))

    def trade(self, print_: Trade) -> None:
        """Announce a print on the tape, unless it has been: REST and the stream both know some."""
        if self.recent.add(print_):
            self._outbox.offer(Publication(topic(TRADE, print_.symbol), trade.encode(print_)))

    def correction(self, correction: Correction) -> None:
        """Announce what a print should have been."""
        self._named(topic(TRADE, correction.symbol), trade.encode(correction), "correction")

    def cancel(self, cancel: Cancel) -> None:
        """Announce that a print is to be forgotten."""
        self._named(topic(TRADE, cancel.symbol), trade.encode(cancel), "cancel")

    def day_bar(self, day: Bar) -> None:
        """Announce a symbol's day so far."""
        self._outbox.offer(Publication(topic(DAY_BAR, day.symbol), bar.encode(day)))

    def news(self, article: News, keys: Iterable[str]) -> None:
        """Announce an article on the topics of these symbols, or of ``*``."""
        body = news.encode(article)
        for key in keys:
            self._outbox.offer(Publication(topic(NEWS, key), body))

    def position(self, held: Position) -> None:
        """Announce a position on its own topic and among all."""
        body = position.encode(held)
        self._outbox.offer(Publication(topic(POSITION, held.symbol), body))
        self._outbox.offer(Publication(topic(POSITION, EVERYTHING), body, row=held.symbol))

    def account(self, worth: Account) -> None:
        """Announce what the account is worth."""
        self._outbox.offer(Publication(ACCOUNT, account.encode(worth)))

    def order(self, update: OrderUpdate) -> None:
        """Announce what has happened to an order."""
        self._outbox.offer(Publication(ORDERS, order.encode(update)))

    def gap(self, topics: Iterable[str], since: str, until: str, reason: GapReason) -> None:
        """Announce on each topic that something is missing between two times, RFC 3339."""
        for each in topics:
            body = gap.encode(Gap(topics=[each], from_=since, to=until, reason=reason))
            self._named(each, body, GAP)

    def _named(self, where: str, body: bytes, event: str) -> None:
        self._outbox.offer(Publication(where, body, event=event))
