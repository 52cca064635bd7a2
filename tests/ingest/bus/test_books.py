"""Order books on their way through the outbox and Redis: values, of which the newest matters."""

from typing import Any

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from shared import message
from shared.book import Book, encode
from shared.bus.redis_source import RedisSource
from tests.ingest.bus.stage import listening, publishing
from tests.keyspace import KEYSPACE
from tests.services import until

TOPIC = "book:BTC/USD"


def book(bid: float) -> Book:
    return Book(
        symbol="BTC/USD",
        bids=[(bid, 0.5)],
        asks=[(bid + 1, 10**15)],
        valid=True,
        reason=None,
        timestamp="2026-11-16T17:00:00Z",
        received=7,
    )


async def test_a_book_is_published_and_stored_on_its_pairs_topic(any_source: RedisSource) -> None:
    outbox = Outbox()
    Announcer(outbox).book(book(99.5))
    async with listening(any_source, TOPIC) as heard, publishing(any_source) as stage:
        await stage.publish(*outbox.take(10))
        await until(lambda: len(heard.messages) == 1)
        stored: Any = await stage.client.get(KEYSPACE.last(TOPIC))

    ((topic, event_id, body),) = heard.messages
    assert (topic, heard.events) == (TOPIC, [None])
    assert body.pop("event_id") == str(event_id)
    assert body == {
        "symbol": "BTC/USD",
        "bids": [[99.5, 0.5]],
        "asks": [[100.5, 10**15]],
        "valid": True,
        "reason": None,
        "timestamp": "2026-11-16T17:00:00Z",
        "received": 7,
    }
    assert message.unpack(stored).event_id == event_id


def test_while_the_outbox_is_crowded_only_the_newest_book_of_a_pair_waits() -> None:
    outbox = Outbox(bound=1)
    for bid in range(1, 6):
        Announcer(outbox).book(book(bid))

    assert [each.body for each in outbox.take(10)] == [encode(book(5))]
