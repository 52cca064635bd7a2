"""A reader of frames with what it writes to, for tests of single messages."""

from typing import Any

import msgpack
import msgspec

from ingest.alpaca import messages as wire
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.symbol_states import SymbolStates
from ingest.upstream.frame import BookReader, FrameReader
from tests.ingest.trades import NOON, two_days

NOW_US = NOON // 1000 + 25_000
AT = msgpack.Timestamp.from_unix_nano(NOON)


def at(seconds: int) -> msgpack.Timestamp:
    """Return a time some seconds after noon, which is also the time of receipt."""
    return msgpack.Timestamp.from_unix_nano(NOON + seconds * 10**9)


def trade(symbol: Any = "SPY", price: Any = 100.5, **fields: Any) -> dict[str, Any]:
    given = {"T": "t", "S": symbol, "i": 1, "x": "V", "p": price, "s": 100, "c": ["@"]}
    return {**given, "t": AT, "z": "B", **fields}


class Stage:
    """A reader with what it writes to; everything is subscribed."""

    def __init__(self, books: BookReader | None = None) -> None:
        self.demand = Demand(lambda: 0.0)
        self.prices = LastPrices(two_days())
        self.states = SymbolStates("iex", self.prices.has_price, self.prices.traded_at)
        self.lag = Lag()
        self.subscription = Subscription(None)
        self.outbox = Outbox()
        self.bars = BarTable(lambda: self.prices.hours)
        self.reader = FrameReader(
            self.prices,
            self.states,
            self.lag,
            self.demand,
            self.subscription,
            Announcer(self.outbox),
            self.bars,
            books,
        )
        self.subscription.on_acknowledged({"trades": ["SPY", "IBM", "BAD"]})

    def apply(self, *messages: Any) -> bool:
        frame: bytes = msgpack.packb(list(messages))
        return self.reader.apply(wire.decode(frame), NOW_US, 0.0)

    def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        taken = self.outbox.take(100)
        return [(each.topic, each.event, msgspec.json.decode(each.body)) for each in taken]

    def published(self) -> list[tuple[str, Any]]:
        return [(body["symbol"], body.get("price")) for _, _, body in self.events()]
