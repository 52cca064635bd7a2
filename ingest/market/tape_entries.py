"""A print as its symbol's tape keeps it: as a candidate for the last price, or as none."""

from typing import TypeAlias

import msgspec
from msgspec import structs

from ingest.market.prints import Trade, TradeId
from ingest.market.trading_day import day_of
from ingest.market.withdrawal import PrintIdentity, TradeKey, Withdrawn
from shared.price import Price


class Entry(msgspec.Struct, gc=False):
    """A trade as a candidate for the last price: its time, its id, and the event to publish.

    ``id`` is None for a price out of Redis and for the close of a bar. ``order`` and, for equal
    ones, ``at_ns`` are in the order of arrival.
    """

    at_ns: int
    id: TradeId | None
    event: Price
    order: int

    @property
    def day(self) -> int:
        """The trading day, by ``day_of``."""
        return day_of(self.at_ns)

    @property
    def price(self) -> float:
        """The trade's price."""
        return self.event.price or 0.0

    @property
    def identity(self) -> PrintIdentity:
        """The values that distinguish the trade from others."""
        event = self.event
        key = TradeKey(self.id, event.exchange, event.tape, self.day)
        return PrintIdentity(key, self.at_ns, event.price, event.size)

    def has_event_of(self, other: "Entry") -> bool:
        """Return whether both would be the same event as the last price."""
        return structs.replace(self.event, received=other.event.received) == other.event

    def is_of(self, trade: Trade) -> bool:
        """Return whether it was made of this trade."""
        return (
            self.at_ns == trade.at_ns
            and self.id == trade.id
            and self.event.exchange == trade.exchange
            and self.event.price == trade.price
        )

    def resembles(self, withdrawn: Withdrawn) -> bool:
        """Return whether this is an entry without an id that has the values of a withdrawn trade.

        A price out of Redis has no id; the close of a bar has neither size nor exchange.
        """
        last = self.event
        return (
            self.id is None
            and last.price == withdrawn.price
            and last.size in (None, withdrawn.size)
            and last.exchange in (None, withdrawn.key.exchange)
            and self.day == withdrawn.key.day
            # A bar's close has the time of its minute and not that of a trade.
            and (last.exchange is None or withdrawn.at_ns in (None, self.at_ns))
        )

    def is_same_trade(self, other: "Entry") -> bool:
        """Return whether two entries are one trade, whatever source they come from."""
        return (
            self.at_ns == other.at_ns
            and self.id in (other.id, None)
            and self.event.exchange == other.event.exchange
            and self.event.price == other.event.price
        )


class Uncounted(msgspec.Struct, gc=False):
    """A print that could not be the last price, such as an odd lot, and its order of arrival."""

    trade: Trade
    order: int

    @property
    def id(self) -> TradeId | None:
        """The print's id."""
        return self.trade.id

    @property
    def at_ns(self) -> int:
        """The print's time."""
        return self.trade.at_ns

    @property
    def identity(self) -> PrintIdentity:
        """The values that distinguish the print from others."""
        return PrintIdentity.of(self.trade)


Known: TypeAlias = Entry | Uncounted
