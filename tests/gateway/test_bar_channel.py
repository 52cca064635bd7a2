"""Bars in the hub: ended ones all and in order, the running ones as values at each interval."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from gateway.fanout.bar_channel import BarChannel
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Filling
from shared import bar, message
from shared.bar import RELOAD, RUNNING
from shared.event_id import NEVER, EventId
from tests.bars import minute_bar, minute_of
from tests.gateway.fakes import Bench, FakeSink

TOPIC = "bar.1Min:SPY"


def packed(seq: int, minute: int, name: str | None = None) -> bytes:
    event_id = EventId(1, seq)
    return message.pack(
        event_id, message.stamp(event_id, bar.encode(minute_bar(minute, seq))), name
    )


class Chart(Bench):
    """A hub whose topic of bars Redis has been read for."""

    def watch(self, stored: Iterable[bytes] = ()) -> None:
        channels = self.hub.watch({TOPIC: 0.0})
        nothing = Filling(NEVER, [], NEVER, NEVER, lost=False)
        self.hub.fill(dict.fromkeys(self._bars(channels), nothing))
        for each in stored:
            self.channel.restore(message.unpack(each))
        self.hub.loaded([TOPIC.encode()], NEVER)

    def run(self, seq: int, minute: int) -> None:
        self.send(packed(seq, minute, RUNNING))

    def end(self, seq: int, minute: int) -> None:
        self.send(packed(seq, minute))

    def send(self, published: bytes) -> None:
        self.hub.publish(TOPIC.encode(), published)
        self.loop.advance()

    @property
    def channel(self) -> BarChannel:
        [found] = self._bars([self.hub.channels[TOPIC.encode()]])
        return found

    @staticmethod
    def _bars(channels: Iterable[Channel]) -> list[BarChannel]:
        return [channel for channel in channels if isinstance(channel, BarChannel)]


@pytest.fixture
async def chart() -> Chart:
    chart = Chart()
    chart.watch()
    return chart


def blocks(sink: FakeSink) -> list[tuple[dict[str, str], dict[str, Any]]]:
    found = []
    for block in b"".join(sink.writes).decode().split("\n\n")[:-1]:
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        found.append((lines, json.loads(lines["data"])))
    return found


def got(sink: FakeSink) -> list[tuple[int, int, bool]]:
    """Return the bars of a client: the minute, the seq, and whether it moves the cursor."""
    found = []
    for lines, data in blocks(sink):
        if lines["event"] == "bar.1Min":
            assert data["event_id"] == f"1-{data['close']:.0f}"
            assert lines.get("id", data["event_id"]) == data["event_id"]
            found.append((minute_of(data["timestamp"]), int(data["close"]), "id" in lines))
    return found


async def test_running_bars_are_conflated_to_the_interval_and_ended_ones_are_not(
    chart: Chart,
) -> None:
    _, sink = chart.stream(TOPIC, interval=1.0)
    for seq in range(1, 5):
        chart.run(seq, 0)
    chart.end(5, 0)
    chart.end(6, 0)
    chart.loop.advance(1)

    assert got(sink) == [(0, 1, False), (0, 5, True), (0, 6, True)]


async def test_each_interval_has_its_running_bars(chart: Chart) -> None:
    _, fast = chart.stream(TOPIC)
    _, slow = chart.stream(TOPIC, interval=1.0)
    for seq in range(1, 4):
        chart.run(seq, 0)
    chart.loop.advance(1)

    assert [seq for _, seq, _ in got(fast)] == [1, 2, 3]
    assert [seq for _, seq, _ in got(slow)] == [1, 3]


async def test_a_running_bar_that_waits_is_dropped_when_it_ends(chart: Chart) -> None:
    _, sink = chart.stream(TOPIC, interval=1.0)
    chart.run(1, 0)
    chart.run(2, 0)
    chart.end(3, 0)
    chart.run(4, 1)
    chart.loop.advance(1)

    assert [seq for _, seq, _ in got(sink)] == [1, 3, 4]


async def test_a_running_bar_leaves_before_the_next_one_runs(chart: Chart) -> None:
    """Its final version will be older than that: a chart must have seen it by then."""
    _, sink = chart.stream(TOPIC, interval=1.0)
    chart.run(1, 0)
    chart.run(2, 1)
    chart.run(3, 2)
    chart.end(4, 1)
    chart.loop.advance(1)

    assert [minute for minute, _, _ in got(sink)] == [0, 1, 2, 1]


async def test_a_revision_of_an_older_bar_follows_the_running_one_that_waits(
    chart: Chart,
) -> None:
    _, sink = chart.stream(TOPIC, interval=1.0)
    chart.end(1, 0)
    chart.run(2, 1)
    chart.run(3, 1)
    chart.end(4, 0)
    chart.loop.advance(1)

    assert [seq for _, seq, _ in got(sink)] == [1, 2, 3, 4]


async def test_the_second_viewer_starts_with_the_newest_ended_and_the_running_bars(
    chart: Chart,
) -> None:
    chart.end(1, 0)
    chart.end(2, 1)
    chart.end(3, 0)
    chart.run(4, 2)
    chart.run(5, 3)
    _, sink = chart.stream(TOPIC)

    assert got(sink) == [(1, 2, False), (2, 4, False), (3, 5, False)]
    assert [lines["event"] for lines, _ in blocks(sink)][-1] == "ready"


async def test_the_first_viewer_starts_with_the_stored_bars() -> None:
    chart = Chart()
    chart.watch([packed(7, 3), packed(8, 4, RUNNING), packed(9, 5, RUNNING)])
    _, sink = chart.stream(TOPIC)
    chart.end(10, 4)

    assert got(sink) == [(3, 7, False), (4, 8, False), (5, 9, False), (4, 10, True)]


async def test_a_stored_running_bar_that_has_ended_is_not_shown(chart: Chart) -> None:
    chart.run(1, 0)
    chart.end(2, 0)
    chart.channel.restore(message.unpack(packed(1, 0, RUNNING)))
    _, sink = chart.stream(TOPIC)

    assert got(sink) == [(0, 2, False)]


async def test_a_running_bar_that_a_newer_ended_one_has_overtaken_is_not_shown(
    chart: Chart,
) -> None:
    chart.run(1, 0)
    chart.run(2, 1)
    chart.end(3, 1)
    _, sink = chart.stream(TOPIC)

    assert got(sink) == [(1, 3, False)]


async def test_an_older_version_of_a_running_bar_is_not_sent(chart: Chart) -> None:
    _, sink = chart.stream(TOPIC)
    chart.run(2, 0)
    chart.run(1, 0)
    chart.channel.restore(message.unpack(packed(2, 0, RUNNING)))

    assert [seq for _, seq, _ in got(sink)] == [2]


async def test_a_newcomer_does_not_get_a_value_again_at_the_end_of_its_window(
    chart: Chart,
) -> None:
    chart.stream(TOPIC, interval=1.0)
    chart.run(1, 0)
    chart.run(2, 0)
    _, sink = chart.stream(TOPIC, interval=1.0)
    chart.loop.advance(1)

    assert [seq for _, seq, _ in got(sink)] == [2]


async def test_a_client_that_resumes_gets_the_ended_bars_and_then_the_running_ones(
    chart: Chart,
) -> None:
    chart.end(1, 0)
    chart.run(2, 1)
    chart.run(3, 2)
    chart.end(4, 1)
    chart.end(5, 0)
    _, sink = chart.stream(TOPIC, cursor=EventId(1, 3))

    assert got(sink) == [(1, 4, True), (0, 5, True), (2, 3, False)]


async def test_a_client_that_did_not_read_gets_every_ended_bar_and_the_newest_running_one(
    chart: Chart,
) -> None:
    _, sink = chart.stream(TOPIC)
    chart.end(1, 0)
    sink.stop_reading()
    chart.run(2, 1)
    for seq in (3, 4, 5):
        chart.run(seq, 1)
    chart.end(6, 1)
    chart.run(7, 2)
    sink.read_on()
    chart.hub.flusher.wake_readers()
    chart.loop.advance()

    assert [seq for _, seq, _ in got(sink)] == [1, 2, 6, 7]


async def test_a_reload_reaches_clients_in_its_place_and_those_that_resume(chart: Chart) -> None:
    _, sink = chart.stream(TOPIC, interval=1.0)
    chart.run(1, 0)
    chart.run(2, 0)
    body = b'{"symbol":"SPY","timeframe":"1Min","reason":"split","timestamp":""}'
    stamped = message.stamp(EventId(1, 3), body)
    chart.send(message.pack(EventId(1, 3), stamped, RELOAD))
    chart.end(4, 0)
    _, resumed = chart.stream(TOPIC, cursor=EventId(1, 2))

    names = [data["event_id"] for lines, data in blocks(sink) if lines["event"] != "ready"]
    assert names == ["1-1", "1-2", "1-3", "1-4"]
    assert [lines["event"] for lines, _ in blocks(resumed)] == [RELOAD, "bar.1Min", "ready"]


async def test_while_the_history_is_read_a_running_bar_overtakes_no_ended_one(
    chart: Chart,
) -> None:
    _, sink = chart.stream(TOPIC)
    chart.hub.buffer()
    chart.run(3, 2)
    missed = [chart.channel.event_of(message.unpack(packed(seq, seq - 1))) for seq in (1, 2)]
    chart.hub.fill({chart.channel: Filling(NEVER, missed, NEVER, NEVER, lost=False)})
    chart.loop.advance()

    assert [minute for minute, _, _ in got(sink)] == [0, 1, 2]


async def test_running_bars_are_not_written_back_and_leave_no_history(chart: Chart) -> None:
    chart.run(1, 0)

    assert not chart.channel.history
    plain: Channel = chart.channel
    assert plain.packed() is None


async def test_a_bar_without_a_start_changes_nothing(chart: Chart) -> None:
    _, sink = chart.stream(TOPIC)
    for name in (None, RUNNING):
        broken = message.pack(EventId(1, 1), b'{"event_id":"1-1"}', name)
        with pytest.raises(msgspec.ValidationError):
            chart.hub.publish(TOPIC.encode(), broken)
    chart.end(1, 0)

    assert got(sink) == [(0, 1, True)]


async def test_after_a_start_over_bars_with_lower_ids_are_shown(chart: Chart) -> None:
    _, sink = chart.stream(TOPIC)
    chart.end(8, 0)
    chart.run(9, 1)
    chart.hub.start_over()
    chart.hub.fill({chart.channel: Filling(NEVER, [], NEVER, NEVER, lost=False)})
    chart.run(1, 1)
    chart.end(2, 0)
    _, later = chart.stream(TOPIC)

    assert [seq for _, seq, _ in got(sink)] == [8, 9, 1, 2]
    assert got(later) == [(0, 2, False), (1, 1, False)]
