"""Publishers and writers in Redis cannot inject lines into a stream."""

import json
from typing import Any

import pytest

from gateway.bus.history import History
from gateway.bus.malformed import MalformedData
from gateway.fanout.ordered_channel import OrderedChannel
from shared.bus.beginning import SINCE
from shared.bus.redis_source import RedisSource
from shared.event_id import NEVER, EventId
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.raw_stream import raw_stream
from tests.keyspace import KEYSPACE
from tests.services import running_gateway

FORGERIES = {
    "an event after the JSON": '1-5\n{"a":1}||event: bye|retry: 999999999|data: {}||',
    "a field after the JSON": '1-5\n{"a":1}|id: 999-999',
    "a field before the JSON": "1-5\n|retry: 999999999|data: {}",
    "an event before the name": '1-5 gap|event: bye|data: {}||\n{"a":1}',
    "an event after the name": '1-5 gap||event: bye|data: {}\n{"a":1}',
    "an event after the id": '1-5|event: bye|data: {}||\n{"a":1}',
    "no name": '1-5 \n{"a":1}',
}
"""Messages with ``|`` where a line ends."""

ENDS = {"SPY": "\n", "IBM": "\r", "BAC": "\r\n"}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_a_message_that_holds_lines_is_refused_and_the_next_one_is_not(
    source: RedisSource, forgery: str
) -> None:
    async with ingest_stub(source) as ingest, running_gateway(source) as url:
        for symbol, end in ENDS.items():
            stored = forgery.replace("|", end)
            await ingest.client.set(KEYSPACE.last(f"price:{symbol}"), stored)
        async with raw_stream(url, symbols=",".join(ENDS), interval="0") as stream:
            await stream.until(b"event: ready")
            for end in ENDS.values():
                for channel in ("price:SPY", "status:SPY", KEYSPACE.ingest_status):
                    await ingest.client.publish(channel, forgery.replace("|", end))
            await ingest.publish(9)
            await stream.until(b'"1-9"')

    kinds = [block["event"] for block in map(dict, stream.blocks)]
    assert kinds == ["hello", *["price"] * len(ENDS), "feed", "ready", "price"]
    assert [b["event"] for b in map(dict, stream.blocks) if "retry" in b] == ["hello"]
    assert stream.values("id") == ["0-0"]
    prices = [json.loads(b["data"]) for b in map(dict, stream.blocks) if b["event"] == "price"]
    assert [price["event_id"] for price in prices] == ["0-0"] * len(ENDS) + ["1-9"]


async def test_entries_of_a_history_that_are_not_ours_are_passed_over(source: RedisSource) -> None:
    entries: list[dict[Any, Any]] = [
        {"data": '{"event_id":"1-1"}'},
        {"data": '{"a":1}\n\nevent: bye\ndata: {}'},
        {"data": "{}", "event": "gap\rid: 9-9"},
        {"something": "else"},
        {"data": '{"event_id":"1-5"}', "event": "cancel"},
    ]
    async with source.client("test") as client:
        for number, fields in enumerate(entries, 1):
            await client.xadd(KEYSPACE.history("trade:SPY"), fields, f"1-{number}")
        channel = OrderedChannel("trade:SPY")
        history = History(client, KEYSPACE, MalformedData())
        [filling] = (await history.fillings([channel], EventId(1, 0))).values()
        channel.begin(EventId(9, 9), EventId(9, 9))
        await client.hset(KEYSPACE.histories, SINCE, "0-0")
        await history.extend([channel], EventId(1, 0), NEVER)

    assert [each.event_id for each in filling.events] == [(1, 1), (1, 5)]
    assert [each.event_id for each in channel.history] == [(1, 1), (1, 5)]


async def test_a_resumed_stream_has_no_lines_of_a_forged_history(source: RedisSource) -> None:
    async with ingest_stub(source) as ingest, running_gateway(source) as url:
        history = KEYSPACE.history("trade:SPY")
        await ingest.client.hset(KEYSPACE.histories, SINCE, "0-0")
        await ingest.client.xadd(history, {"data": '{"event_id":"1-1"}'}, "1-1")
        await ingest.client.xadd(history, {"data": "{}\n\nevent: bye\ndata: {}"}, "1-2")
        await ingest.client.xadd(history, {"data": '{"event_id":"1-3"}'}, "1-3")
        async with raw_stream(
            url, "/api/stream/trades", symbols="SPY", last_event_id="1-0"
        ) as stream:
            await stream.until(b"event: ready")

    kinds = [block["event"] for block in map(dict, stream.blocks)]
    assert [kind for kind in kinds if kind in ("trade", "bye")] == ["trade", "trade"]
