"""The ``price`` events of one symbol: the published one, and the event that a trade makes. Pure.

Each event compares its price with the previous close of its day.
"""

from msgspec import UNSET

from ingest.market.previous_close import PreviousCloses, change
from ingest.market.prints import StreamedPrint, Trade
from ingest.market.trading_day import STOCK_DAYS
from shared import rfc3339
from shared.ingest_status import Session
from shared.price import Price


class PriceEvents:
    """Makes a symbol's events and remembers the newest; days are numbers of the closes' ``days``.

    ``published`` is None before the first event. ``needs_close``: an event was compared with a
    close that is not settled, and REST's next daily bar settles it for the day. ``is_delayed``: the
    feed shows its trades fifteen minutes late.
    """

    __slots__ = ("_closes", "_day_zone", "_delayed", "_symbol", "needs_close", "published")

    def __init__(self, symbol: str, closes: PreviousCloses, *, is_delayed: bool = False) -> None:
        self._symbol = symbol
        self._closes = closes
        self._delayed = is_delayed or UNSET
        self._day_zone = UNSET if closes.days is STOCK_DAYS else closes.days.zone.key
        self.needs_close = False
        self.published: Price | None = None

    def of(self, trade: Trade, session: Session, received_us: int) -> Price:
        """Return the event that a trade makes as the last price."""
        at_ns = trade.at_ns
        close = self.close_of(self._closes.days.day_of(at_ns), trade.price)
        event = event_of(self._symbol, trade, at_ns, session, close, received_us)
        event.day_zone, event.delayed = self._day_zone, self._delayed
        return event

    def close_of(self, day: int, price: float) -> float | None:
        """Return the previous close of a day for a price of it."""
        close = self._closes.by_day.get(day)
        if close is None and self._closes.undecided:
            close = self._closes.choose(day, price)
            if close is not None:
                self.needs_close = True
        return close

    def has_one_close(self, day: int) -> bool:
        """Return whether all prices of a day are compared with the same close, or with none."""
        return day in self._closes.by_day or not self._closes.undecided

    def publish(self, event: Price, day: int, received_us: int | None) -> Price | None:
        """Publish the event of the last price, of a day; return None if it is published."""
        self.update_close(event, day)
        if event is self.published:
            return None
        event.received = received_us
        self.published = event
        return event

    def publish_no_price(self, day: int) -> None:
        """Publish that there is no price, with the previous close of a day if that is known."""
        close, before = self._closes.by_day.get(day), self.published
        # A symbol that Alpaca does not know stays so until a trade or a close shows that it exists.
        if before is not None and before.price is None and close == before.previous_close:
            return
        # A price that was published before has been withdrawn, and no other trade replaces it.
        self.published = Price(
            symbol=self._symbol,
            reason="no_trade_seen",
            previous_close=close,
            day_zone=self._day_zone,
        )

    def publish_listing(self, *, listed: bool) -> Price | None:
        """Publish whether Alpaca lists the symbol, which has no price; return None if it is known.

        A symbol that is listed is unknown no more; its trades and closes are still to come.
        """
        is_unknown = self.published is not None and self.published.reason == "unknown_symbol"
        if listed != is_unknown:
            return None
        reason = "no_trade_seen" if listed else "unknown_symbol"
        self.published = Price(symbol=self._symbol, reason=reason, day_zone=self._day_zone)
        return self.published

    def update_close(self, event: Price, day: int) -> bool:
        """Compare an event with the previous close of its day; return whether that is a new one."""
        close = self._closes.by_day.get(day)
        if close is None or event.price is None or close == event.previous_close:
            return False
        event.previous_close = close
        event.change, event.change_percent = change(event.price, close)
        return True


def event_of(
    symbol: str,
    trade: StreamedPrint,
    at_ns: int,
    session: Session,
    close: float | None,
    received_us: int,
) -> Price:
    """Return the event of a trade as the last price; ``close`` is the previous one."""
    price = trade.price
    difference, fraction = (None, None) if close is None else change(price, close)
    # By position, which takes two thirds of the time: this runs for every print.
    return Price(
        symbol,
        price,
        trade.size,
        trade.exchange,
        trade.conditions or (),
        trade.tape,
        session,
        rfc3339.from_nanoseconds(at_ns),
        close,
        difference,
        fraction,
        received_us,
    )
