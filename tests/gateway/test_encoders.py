"""Two protocols on one hub: the same events at the same moments, each encoded once."""

import json
from collections import Counter
from typing import Any

import pytest

from gateway.fanout.hub import Filling
from gateway.wire.event import Encoder, Event
from gateway.wire.events import Bye, Heartbeat, Ready, encode
from gateway.wire.sse import SSE
from shared import message
from shared.event_id import NEVER, EventId
from tests.gateway.fakes import HEARTBEAT, Bench, FakeSink, feed
from tests.gateway.rows import TABLE, row

TOPICS = ("price:SPY", "trade:SPY", TABLE, "account")


class JsonLines:
    """One line of JSON for each event; it has no heartbeat."""

    def event(self, event: Event) -> bytes:
        return line(event.name, event.payload)

    def ready(self, cursor: EventId, ready: Ready) -> bytes:  # noqa: ARG002 - the interface
        return line("ready", encode(ready))

    def heartbeat(self, cursor: EventId, heartbeat: Heartbeat) -> bytes:  # noqa: ARG002 - the protocol
        return b""

    def bye(self, bye: Bye) -> bytes:
        return line("bye", encode(bye))

    def packet(self, data: bytes) -> bytes:
        return b"<%b>" % data


def line(name: str, data: bytes) -> bytes:
    return b'{"event":"%b","data":%b}\n' % (name.encode(), data)


class Counted:
    """Another encoder, and how often each event was given to it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.events: Counter[Event] = Counter()

    def event(self, event: Event) -> bytes:
        self.events[event] += 1
        return self._encoder.event(event)

    def ready(self, cursor: EventId, ready: Ready) -> bytes:
        return self._encoder.ready(cursor, ready)

    def heartbeat(self, cursor: EventId, heartbeat: Heartbeat) -> bytes:
        return self._encoder.heartbeat(cursor, heartbeat)

    def bye(self, bye: Bye) -> bytes:
        return self._encoder.bye(bye)

    def packet(self, data: bytes) -> bytes:
        return self._encoder.packet(data)


def of_sse(sink: FakeSink) -> list[list[tuple[str, Any]]]:
    """Return each write as its events: names and data."""
    writes = []
    for written in sink.writes:
        blocks = [block.split("\n") for block in written.decode().split("\n\n")[:-1]]
        fields = [dict(line.partition(": ")[::2] for line in block) for block in blocks]
        writes.append([(each["event"], json.loads(each["data"])) for each in fields])
    return writes


def of_lines(sink: FakeSink) -> list[list[tuple[str, Any]]]:
    """Return the same of a stream of JSON lines."""
    decoded = [[json.loads(line) for line in write.splitlines()] for write in sink.writes]
    return [[(each["event"], each["data"]) for each in write] for write in decoded]


def trade(seq: int, name: str | None = None) -> bytes:
    event_id = EventId(1, seq)
    stamped = message.stamp(event_id, json.dumps({"symbol": "SPY", "id": str(seq)}).encode())
    return message.pack(event_id, stamped, name)


class World:
    """A hub with its ordered topic read, and two streams of the same topics."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.sse, self.lines = Counted(SSE), Counted(JsonLines())
        hub = self.bench.hub
        hub.announce_feed(feed("down"))
        _, ordered, *_ = hub.watch(dict.fromkeys(TOPICS, 0.0))
        hub.fill({ordered: Filling(NEVER, [], NEVER, NEVER, lost=False)})  # type: ignore[dict-item]
        hub.loaded([topic.encode() for topic in TOPICS], NEVER)
        _, self.events = self.open(self.sse)
        _, self.json = self.open(self.lines)

    def open(self, encoder: Encoder, cursor: EventId | None = None) -> tuple[Any, FakeSink]:
        return self.bench.stream(*TOPICS, interval=0.25, cursor=cursor, encoder=encoder)

    def happen(self) -> None:
        """Publish values, rows and trades, more of them than windows; then a change of the feed."""
        hub = self.bench.hub
        for seq in range(1, 7):
            self.bench.publish(10 * seq)
            hub.publish(b"trade:SPY", trade(10 * seq + 1))
            hub.publish(TABLE.encode(), row(10 * seq + 2))
            self.bench.loop.advance(0.1)
        hub.publish(b"trade:SPY", trade(70, "correction"))
        hub.publish(b"price:SPY", trade(71, "gap"))
        hub.announce_feed(feed("live"))
        self.bench.loop.advance(1)


@pytest.fixture
async def world() -> World:
    return World()


async def test_both_protocols_carry_the_same_events_in_the_same_writes(world: World) -> None:
    world.happen()

    received = of_sse(world.events)
    assert received == of_lines(world.json)
    assert [name for write in received for name, _ in write].count("trade") == 6
    assert {"price", "position", "account", "feed", "correction", "gap", "ready"} <= {
        name for write in received for name, _ in write
    }


async def test_each_event_is_encoded_once_for_each_protocol_however_many_watch(
    world: World,
) -> None:
    world.open(world.sse)
    world.open(world.lines)
    world.happen()
    for encoder in (world.sse, world.lines):  # from memory
        world.open(encoder)
        world.open(encoder, cursor=EventId(1, 31))

    published = {e for e in world.sse.events if e.event_id != NEVER}
    assert published == {e for e in world.lines.events if e.event_id != NEVER}
    for encoder in (world.sse, world.lines):
        assert {encoder.events[event] for event in published} == {1}


async def test_a_second_protocol_changes_no_byte_of_the_first(world: World) -> None:
    alone = Bench()
    alone.hub.announce_feed(feed("down"))
    _, sink = alone.stream("price:SPY", interval=0.25)
    beside = Bench()
    beside.hub.announce_feed(feed("down"))
    beside.stream("price:SPY", interval=0.25, encoder=JsonLines())
    _, other = beside.stream("price:SPY", interval=0.25)
    for bench in (alone, beside):
        for seq in range(1, 20):
            bench.publish(seq)
            bench.loop.advance(0.06)

    assert other.writes == sink.writes


async def test_each_write_is_packed_by_the_clients_protocol(world: World) -> None:
    world.happen()

    assert world.json.packets == [b"<%b>" % data for data in world.json.writes]
    assert world.events.packets == [
        b"%x\r\n%b\r\n" % (len(data), data) for data in world.events.writes
    ]


async def test_a_message_that_a_protocol_lacks_is_not_written(world: World) -> None:
    before = list(world.json.writes)
    world.bench.hub.send_heartbeat(HEARTBEAT)
    world.bench.loop.advance()

    assert world.json.writes == before
    assert of_sse(world.events)[-1][0][0] == "heartbeat"


async def test_a_client_that_does_not_read_gets_its_own_protocol_on_waking(world: World) -> None:
    for sink in (world.events, world.json):
        sink.stop_reading()
    world.happen()
    for sink in (world.events, world.json):
        sink.read_on()
    world.bench.hub.flusher.wake_readers()
    world.bench.loop.advance()

    assert of_sse(world.events)[1:] == of_lines(world.json)[1:]
    assert [name for name, _ in of_lines(world.json)[-1]].count("trade") >= 5


async def test_the_goodbye_is_in_the_clients_protocol(world: World) -> None:
    client, sink = world.open(world.lines)
    world.bench.hub.end(client, "slow")

    assert of_lines(sink)[-1] == [("bye", {"event_id": "0-0", "reason": "slow", "retry_ms": 700})]
    assert sink.closed
