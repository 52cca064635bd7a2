"""A hub that starts over: every client gets a gap, and values with lower ids than before."""

import json

import pytest

from gateway.fanout.hub import Filling, Hub
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.table_channel import TableChannel
from shared import message
from shared.event_id import NEVER, EventId
from tests.gateway.fakes import Bench, FakeSink
from tests.gateway.rows import TABLE, got, row

AHEAD, NOW = 9, 1
"""The epoch that was shown, and the lease's."""
TRADES = "trade:SPY"


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def start_over(hub: Hub) -> None:
    """Start over as the subscriber does, and read what Redis has: nothing."""
    hub.start_over()
    hub.own_ids.start_over(NOW, NEVER)
    ordered = [each for each in hub.channels.values() if isinstance(each, OrderedChannel)]
    hub.fill({channel: Filling(NEVER, [], NEVER, NEVER, lost=False) for channel in ordered})
    hub.loaded(list(hub.channels), NEVER)


def tell(hub: Hub, epoch: int, seq: int) -> None:
    event_id = EventId(epoch, seq)
    body = json.dumps({"symbol": "SPY", "price": seq}).encode()
    hub.publish(TRADES.encode(), message.pack(event_id, message.stamp(event_id, body)))


def gaps(sink: FakeSink) -> list[tuple[list[str], str]]:
    return [(gap["topics"], gap["reason"]) for gap in sink.events("gap")]


async def test_a_client_gets_one_gap_for_each_topic_then_lower_ids(bench: Bench) -> None:
    _, sink = bench.client("SPY", "IBM")
    bench.publish(7, epoch=AHEAD)
    start_over(bench.hub)
    bench.publish(1, epoch=NOW)
    bench.publish(2, epoch=NOW)

    assert gaps(sink) == [([f"price:{symbol}"], "started_over") for symbol in ("SPY", "IBM")]
    assert sink.ids() == ["0-0", f"{AHEAD}-7", "0-0", f"{NOW}-1", f"{NOW}-2"]
    assert bench.hub.newest == bench.hub.cursor == EventId(NOW, 2)
    assert bench.hub.started_over == 1


async def test_a_value_that_waits_for_its_window_is_dropped(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.publish(7, epoch=AHEAD)
    bench.publish(8, epoch=AHEAD)  # due at the end of the window
    start_over(bench.hub)
    bench.loop.advance(1)
    bench.publish(1, epoch=NOW)
    bench.loop.advance(1)

    assert f"{AHEAD}-8" not in sink.ids()
    assert sink.ids()[-1] == f"{NOW}-1"


async def test_a_client_that_did_not_read_gets_the_newest_values_and_a_gap(bench: Bench) -> None:
    client, sink = bench.stream("price:SPY", TRADES)
    bench.hub.fill({c: Filling(NEVER, [], NEVER, NEVER, lost=False) for c in ordered_of(bench.hub)})
    sink.stop_reading()
    bench.publish(7, epoch=AHEAD)
    tell(bench.hub, AHEAD, 8)
    bench.loop.advance()
    assert client in bench.hub.flusher.stalled
    start_over(bench.hub)
    bench.publish(1, epoch=NOW)
    tell(bench.hub, NOW, 2)
    bench.loop.advance()
    sink.read_on()
    bench.hub.flusher.wake_readers()
    bench.loop.advance()
    tell(bench.hub, NOW, 3)
    bench.loop.advance()

    assert sink.ids()[-1] == f"{NOW}-1"
    assert [topics for topics, _ in gaps(sink)] == [[TRADES]]
    assert sink.events("trade")[-1]["event_id"] == f"{NOW}-3"


async def test_the_rows_of_a_table_can_be_replaced_by_lower_ids(bench: Bench) -> None:
    _, sink = bench.stream(TABLE)
    channel = bench.hub.channels[TABLE.encode()]
    assert isinstance(channel, TableChannel)
    for each in (row(70, "SPY"), row(71, "IBM")):
        bench.hub.publish(TABLE.encode(), each)
    bench.loop.advance()
    start_over(bench.hub)
    bench.hub.publish(TABLE.encode(), row(1, "SPY"))
    channel.keep(["SPY"], EventId(NOW, 2))  # the account no longer lists IBM
    bench.loop.advance()

    assert gaps(sink) == [([TABLE], "started_over")]
    assert got(sink) == ["SPY 70", "IBM 71", "SPY 1", "-IBM 2"]


async def test_a_client_that_resumes_after_a_void_id_gets_a_gap_and_no_event_twice(
    bench: Bench,
) -> None:
    bench.stream(TRADES)
    bench.hub.fill({c: Filling(NEVER, [], NEVER, NEVER, lost=False) for c in ordered_of(bench.hub)})
    tell(bench.hub, AHEAD, 8)
    start_over(bench.hub)
    tell(bench.hub, NOW, 1)
    _, sink = bench.stream(TRADES, cursor=EventId(AHEAD, 8))
    tell(bench.hub, NOW, 2)
    bench.loop.advance()

    assert [topics for topics, _ in gaps(sink)] == [[TRADES]]
    assert [event["event_id"] for event in sink.events("trade")] == [f"{NOW}-2"]


def ordered_of(hub: Hub) -> list[OrderedChannel]:
    return [each for each in hub.channels.values() if isinstance(each, OrderedChannel)]
