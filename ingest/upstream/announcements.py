"""The outlet for all events of the upstream; ``ingest.bus`` implements it."""

from collections.abc import Iterable
from typing import Protocol

from ingest.market.newest_articles import NewestArticles
from ingest.market.newest_quotes import NewestQuotes
from ingest.market.recent_prints import RecentPrints
from shared.bar import Bar, ReloadReason, Timeframe
from shared.book import Book
from shared.gap import GapReason
from shared.imbalance import Imbalance
from shared.luld import Luld
from shared.news import News
from shared.order import OrderUpdate
from shared.price import Price
from shared.quote import Quote
from shared.trade import Trade, Withdrawal


class Announcements(Protocol):
    """One method for each kind of event. None of them waits."""

    recent: RecentPrints
    """The prints that were announced recently."""

    def price(self, last: Price, *, traded: bool) -> None:
        """Announce a last price. ``traded``: the trade happened just now."""

    articles: NewestArticles
    """The newest versions of articles."""

    quotes: NewestQuotes
    """The times of the newest quotes."""

    def quote(self, best: Quote) -> None:
        """Announce the stream's best bid and offer."""

    def rest_quote(self, best: Quote, asked_us: int) -> None:
        """Announce the best bid and offer of REST's answer, unless the stream has a newer one.

        ``asked_us`` is the time of the request, unix µs.
        """

    def luld(self, bands: Luld) -> None:
        """Announce the price bands of a stock."""

    def book(self, top: Book) -> None:
        """Announce the best levels of a pair's order book, or that it is not valid."""

    def imbalance(self, event: Imbalance) -> None:
        """Announce an imbalance of a stock's orders."""

    def trade(self, print_: Trade, corrected: bool = False) -> None:
        """Announce a print, unless it was announced before.

        ``corrected``: REST shows it as the replacement of another one.
        """

    def withdrawal(self, event: Withdrawal) -> None:
        """Announce that a print is void or replaced, unless that was announced before."""

    def bar(self, timeframe: Timeframe, changed: Bar, *, running: bool) -> None:
        """Announce the newest version of a bar; ``running``: its span has not ended."""

    def reload(
        self, timeframe: Timeframe, symbol: str, reason: ReloadReason, timestamp: str
    ) -> None:
        """Ask the clients of a topic to read its bars again; ``timestamp`` is RFC 3339."""

    def news(self, article: News, keys: Iterable[str]) -> None:
        """Announce an article on the topics of these symbols, or of ``*``."""

    def order(self, update: OrderUpdate) -> None:
        """Announce a change of an order."""

    def gap(self, topics: Iterable[str], since: str, until: str, reason: GapReason) -> None:
        """Announce on each topic that data between two times (RFC 3339) is lost."""
