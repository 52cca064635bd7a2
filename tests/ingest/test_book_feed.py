"""The times at which the events of order books leave."""

import asyncio
import time
from typing import Any

import msgpack
import msgspec
import pytest

from ingest import book_feed
from ingest.alpaca import messages
from ingest.book_feed import BookFeed
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.channels import CRYPTO_CHANNELS, ORDERBOOKS
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from shared.markets import CRYPTO
from tests.services import until

PAIR = "BTC/USD"


class Stage:
    """A feed of one pair's book, which is subscribed to."""

    def __init__(self) -> None:
        demand = Demand(time.monotonic, CRYPTO)
        demand.update({f"book:{PAIR}": 1})
        self.subscription = Subscription(None, channels=CRYPTO_CHANNELS)
        self.outbox = Outbox()
        self.feed = BookFeed(demand, self.subscription, Announcer(self.outbox))
        self.bids: list[float] = []
        """The best bids that were announced."""

    def subscribe(self) -> None:
        self.subscription.on_acknowledged({ORDERBOOKS: [PAIR]})
        self.feed.on_subscription(time.monotonic())

    def change(self, bid: float, **more: Any) -> None:
        row = {"T": "o", "S": PAIR, "t": msgpack.Timestamp(1), "b": [{"p": bid, "s": 1}], **more}
        [message] = messages.decode(msgpack.packb([{"a": [], **row}]))
        assert isinstance(message, messages.OrderBook)
        self.feed.on_message(message, 1, time.monotonic())

    def shows(self, bid: float) -> bool:
        events = [msgspec.json.decode(each.body) for each in self.outbox.take(100)]
        self.bids += [each["bids"][0][0] for each in events if each["valid"]]
        return self.bids[-1:] == [bid]


async def test_a_change_soon_after_an_event_leaves_although_no_other_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_feed, "LOOK_SECONDS", 3600.0)
    stage = Stage()
    running = asyncio.create_task(stage.feed.run())
    await until(lambda: bool(stage.outbox.take(1)))  # the book is followed, and not valid yet
    stage.subscribe()
    stage.change(100.0, a=[{"p": 200.0, "s": 1}], r=True)
    await until(lambda: stage.shows(100.0))
    # The feed waits for its next look, and the event before has just left.
    stage.change(101.0)
    await until(lambda: stage.shows(101.0))
    running.cancel()
    await asyncio.wait([running])

    assert stage.bids == [100.0, 101.0]
