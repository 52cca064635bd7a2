"""Ordered topics: every event once and in order, or a ``gap``, also for those who come back."""

import json
from collections.abc import Iterable

import pytest

from gateway.fanout.channel import Channel
from gateway.fanout.hub import Filling
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.wire.event import Event
from shared import message
from shared.event_id import NEVER, EventId
from tests.gateway.fakes import Bench, FakeSink

SPY, IBM = "trade:SPY", "trade:IBM"


def body(seq: int) -> bytes:
    made = {"symbol": "SPY", "id": str(seq), "timestamp": f"2026-11-25T15:00:{seq % 60:02}Z"}
    return message.stamp(EventId(1, seq), json.dumps(made).encode())


def event(seq: int, name: str | None = None) -> Event:
    return Event(EventId(1, seq), body(seq), name or "trade", is_position=True)


def redis_has(position: EventId, *events: Event) -> Filling:
    """Return the events after a position; nothing is lost."""
    return Filling(position, list(events), position, NEVER, lost=False)


class Tape(Bench):
    """A hub whose ordered topics Redis has been read for."""

    def watch(self, *topics: str) -> None:
        channels = self.hub.watch(dict.fromkeys(topics, 0.0))
        nothing = Filling(NEVER, [], NEVER, NEVER, lost=False)
        self.hub.fill(dict.fromkeys(self._ordered(channels), nothing))
        self.hub.loaded([topic.encode() for topic in topics], NEVER)

    def print(self, seq: int, topic: str = SPY, name: str | None = None) -> None:
        packed = message.pack(EventId(1, seq), body(seq), name)
        self.hub.publish(topic.encode(), packed)
        self.loop.advance()

    def channel(self, topic: str = SPY) -> OrderedChannel:
        [channel] = self._ordered([self.hub.channels[topic.encode()]])
        return channel

    @staticmethod
    def _ordered(channels: Iterable[Channel]) -> list[OrderedChannel]:
        return [channel for channel in channels if isinstance(channel, OrderedChannel)]


@pytest.fixture
async def tape() -> Tape:
    tape = Tape()
    tape.watch(SPY, IBM)
    return tape


def got(sink: FakeSink) -> list[str]:
    """Return what a client got, as event and id; ``gap`` with what it is before."""
    found = []
    for block in b"".join(sink.writes).decode().split("\n\n")[:-1]:
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        data = json.loads(lines["data"])
        assert lines.get("id", data["event_id"]) == data["event_id"]
        if lines["event"] == "gap":
            assert "id" not in lines
            found.append(f"gap before {data['to']}: {data['reason']}")
        elif lines["event"] != "ready":
            found.append(f"{lines['event']} {data['event_id']}")
    return found


def read_on(tape: Tape, sink: FakeSink) -> None:
    sink.read_on()
    tape.hub.flusher.wake_readers()
    tape.loop.advance()


async def test_every_event_goes_out_with_its_id_however_many_come_at_once(tape: Tape) -> None:
    _, sink = tape.stream(SPY, interval=60)
    for seq in range(1, 6):
        tape.hub.publish(SPY.encode(), message.pack(EventId(1, seq), body(seq)))
    tape.loop.advance()

    assert got(sink) == [f"trade 1-{seq}" for seq in range(1, 6)]
    assert sink.writes[-1].startswith(b"event: trade\nid: 1-1\ndata: {")


async def test_a_newcomer_without_a_cursor_begins_with_what_comes(tape: Tape) -> None:
    tape.print(1)
    _, sink = tape.stream(SPY)
    tape.print(2)

    assert got(sink) == ["trade 1-2"]


async def test_a_newcomer_with_a_cursor_gets_what_is_later_in_order_over_all_topics(
    tape: Tape,
) -> None:
    for seq in range(1, 9):
        tape.print(seq, SPY if seq % 2 else IBM)
    _, sink = tape.stream(SPY, IBM, cursor=EventId(1, 3))
    tape.print(9)

    assert got(sink) == [f"trade 1-{seq}" for seq in range(4, 10)]


async def test_ready_comes_after_what_was_resumed_and_has_the_cursor(tape: Tape) -> None:
    for seq in (1, 2, 3):
        tape.print(seq)
    _, sink = tape.stream(SPY, cursor=EventId(1, 2))

    [resumed] = sink.writes
    assert resumed.index(b"event: trade") < resumed.index(b"event: ready\nid: 1-3\n")


async def test_corrections_keep_their_name_and_their_place(tape: Tape) -> None:
    tape.print(1)
    tape.print(2, name="correction")
    tape.print(3)
    _, sink = tape.stream(SPY, cursor=NEVER)

    assert got(sink) == ["trade 1-1", "correction 1-2", "trade 1-3"]


@pytest.mark.parametrize("seq", [2, 1])
async def test_what_comes_again_or_too_late_is_passed_over(tape: Tape, seq: int) -> None:
    _, sink = tape.stream(SPY)
    tape.print(2)
    tape.print(seq)

    assert got(sink) == ["trade 1-2"]


async def test_memory_keeps_as_many_as_the_history(tape: Tape) -> None:
    tape.channel().length = 3
    for seq in range(1, 11):
        tape.print(seq)

    assert [each.event_id.seq for each in tape.channel().history] == [8, 9, 10]
    assert tape.channel().floor == (1, 7)


async def test_who_comes_too_late_is_told_what_it_has_lost(tape: Tape) -> None:
    tape.channel().length = 3
    for seq in range(1, 11):
        tape.print(seq)
    _, late = tape.stream(SPY, cursor=EventId(1, 5))
    _, just = tape.stream(SPY, cursor=EventId(1, 7))

    rest = ["trade 1-8", "trade 1-9", "trade 1-10"]
    assert got(late) == ["gap before 2026-11-25T15:00:08Z: not_kept", *rest]
    assert got(just) == rest


async def test_who_asks_from_the_beginning_gets_what_there_is(tape: Tape) -> None:
    tape.channel().length = 2
    tape.print(1)
    tape.print(2)
    _, whole = tape.stream(SPY, cursor=NEVER)
    tape.print(3)
    _, rest = tape.stream(SPY, cursor=NEVER)

    assert got(whole) == ["trade 1-1", "trade 1-2", "trade 1-3"]
    assert got(rest) == ["gap before 2026-11-25T15:00:02Z: not_kept", "trade 1-2", "trade 1-3"]


async def test_a_client_that_does_not_read_gets_everything_later(tape: Tape) -> None:
    _, sink = tape.stream(SPY, "price:SPY")
    sink.stop_reading()
    tape.print(1)
    for seq in range(2, 50):
        tape.print(seq)
    tape.publish(50)
    tape.publish(51)
    read_on(tape, sink)
    tape.print(52)

    trades = [f"trade 1-{seq}" for seq in range(1, 50)]
    assert got(sink) == ["price 0-0", *trades, "price 1-51", "trade 1-52"]


async def test_a_client_that_does_not_read_for_too_long_is_told_of_its_loss(tape: Tape) -> None:
    tape.channel().length = 3
    _, sink = tape.stream(SPY)
    sink.stop_reading()
    for seq in range(1, 11):
        tape.print(seq)
    read_on(tape, sink)

    lost = "gap before 2026-11-25T15:00:08Z: not_kept"
    assert got(sink) == ["trade 1-1", lost, "trade 1-8", "trade 1-9", "trade 1-10"]


async def test_after_a_loss_of_redis_the_missed_come_before_the_new_ones(tape: Tape) -> None:
    _, sink = tape.stream(SPY, IBM, "price:SPY")
    tape.print(1)
    tape.hub.buffer()
    tape.print(6, SPY)  # heard again, before the histories were read
    tape.print(7, IBM)
    tape.publish(8)
    assert got(sink) == ["price 0-0", "trade 1-1", "price 1-8"]
    assert tape.hub.cursor == (1, 1)

    tape.hub.fill(
        {
            tape.channel(SPY): redis_has(EventId(1, 1), event(2), event(4), event(6)),
            tape.channel(IBM): redis_has(EventId(1, 0), event(3), event(5)),
        }
    )
    tape.hub.loaded([SPY.encode(), IBM.encode()], EventId(1, 7))
    tape.loop.advance()

    assert got(sink)[3:] == [f"trade 1-{seq}" for seq in range(2, 8)]
    assert tape.hub.cursor == (1, 8)


async def test_what_redis_has_no_more_after_a_loss_is_a_gap_for_all(tape: Tape) -> None:
    _, sink = tape.stream(SPY)
    tape.print(1)
    tape.hub.buffer()
    filling = Filling(EventId(1, 1), [event(9)], EventId(1, 8), NEVER, lost=True)
    tape.hub.fill({tape.channel(): filling})
    tape.hub.loaded([SPY.encode()], EventId(1, 9))
    tape.loop.advance()
    _, late = tape.stream(SPY, cursor=EventId(1, 1))

    lost = "gap before 2026-11-25T15:00:09Z: not_kept"
    assert got(sink) == ["trade 1-1", lost, "trade 1-9"]
    assert got(late) == [lost, "trade 1-9"]


async def test_what_comes_before_a_new_topic_was_read_is_held_back(tape: Tape) -> None:
    [channel] = tape.hub.watch({"trade:AIG": 0.0})
    tape.print(3, "trade:AIG")
    tape.hub.fill({channel: redis_has(EventId(1, 1), event(2), event(3))})  # type: ignore[dict-item]
    _, sink = tape.stream("trade:AIG", cursor=EventId(1, 1))

    assert got(sink) == ["trade 1-2", "trade 1-3"]


async def test_what_redis_has_of_earlier_times_is_put_before(tape: Tape) -> None:
    [channel] = tape.hub.watch({"trade:AIG": 0.0})
    tape.hub.fill({channel: redis_has(EventId(1, 5))})  # type: ignore[dict-item]
    tape.hub.loaded([b"trade:AIG"], EventId(1, 5))
    tape.print(6, "trade:AIG")
    tape.channel("trade:AIG").extend([event(3), event(5)], EventId(1, 2))
    _, sink = tape.stream("trade:AIG", cursor=EventId(1, 2))
    _, early = tape.stream("trade:AIG", cursor=EventId(1, 1))

    assert got(sink) == ["trade 1-3", "trade 1-5", "trade 1-6"]
    assert got(early)[0] == "gap before 2026-11-25T15:00:03Z: not_kept"
