"""Whatever happens in whatever order: of ordered topics nothing twice, nothing lost in silence."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.fanout.cohort import Client
from gateway.fanout.hub import Filling
from gateway.fanout.ordered_channel import OrderedChannel, before
from gateway.wire.event import Event
from shared.event_id import NEVER, EventId
from tests.examples import examples
from tests.gateway.fakes import FakeSink
from tests.gateway.played import played
from tests.gateway.test_ordered_channel import IBM, SPY, Tape, body, event, got

TOPICS = (SPY, IBM)
LENGTH = 6

step = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(TOPICS)),
    st.tuples(st.just("publish"), st.sampled_from(TOPICS)),
    st.tuples(st.just("flush")),
    st.tuples(st.just("join"), st.sets(st.sampled_from(TOPICS), min_size=1)),
    st.tuples(st.just("come_back"), st.integers(0, 9)),
    st.tuples(st.just("stop_reading"), st.integers(0, 9)),
    st.tuples(st.just("read"), st.integers(0, 9)),
    st.tuples(st.just("lose_redis"), st.integers(0, 3)),
)


class Viewer:
    """A watching client, over all its connections."""

    def __init__(self, topics: tuple[str, ...], since: int) -> None:
        self.topics = topics
        self.since = since
        self.sinks: list[FakeSink] = []
        self.client: Client | None = None

    def connect(self, tape: Tape, cursor: EventId | None) -> None:
        self.client, sink = tape.stream(*self.topics, cursor=cursor)
        self.sinks.append(sink)

    @property
    def sink(self) -> FakeSink:
        return self.sinks[-1]

    def cursor(self) -> EventId:
        """The last id that the browser has read."""
        ids = [
            line.removeprefix("id: ")
            for sink in self.sinks
            for line in b"".join(sink.writes).decode().splitlines()
            if line.startswith("id: ")
        ]
        return EventId.parse(ids[-1])

    def events(self) -> list[str]:
        return [event for sink in self.sinks for event in got(sink)]


class World:
    """One gateway's hub, Redis' histories, and some viewers."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.tape.watch(*TOPICS)
        self.seq = 0
        self.history: dict[str, list[Event]] = {topic: [] for topic in TOPICS}
        self.viewers: list[Viewer] = []
        for topic in TOPICS:
            self.tape.channel(topic).length = LENGTH

    def publish(self, topic: str) -> None:
        self._record(topic)
        self.tape.hub.publish(topic.encode(), b"1-%d\n%b" % (self.seq, body(self.seq)))

    def flush(self) -> None:
        self.tape.loop.advance(1)
        self.tape.hub.flusher.wake_readers()
        self.tape.loop.advance()

    def join(self, topics: set[str]) -> None:
        viewer = Viewer(tuple(sorted(topics)), self.seq)
        viewer.connect(self.tape, None)
        self.viewers.append(viewer)

    def come_back(self, which: int) -> None:
        if viewer := self._viewer(which):
            assert viewer.client is not None
            self.tape.hub.leave(viewer.client)
            viewer.connect(self.tape, viewer.cursor())

    def stop_reading(self, which: int) -> None:
        if viewer := self._viewer(which):
            viewer.sink.stop_reading()

    def read(self, which: int) -> None:
        if viewer := self._viewer(which):
            viewer.sink.read_on()

    def lose_redis(self, missed: int) -> None:
        """The connection breaks, some events pass unheard, and it is there again."""
        hub = self.tape.hub
        hub.buffer()
        for number in range(missed):
            self._record(TOPICS[number % 2])
        heard = self.seq + 1
        self.publish(SPY)
        channels = {topic: self.tape.channel(topic) for topic in TOPICS}
        hub.fill({channel: self._filling(topic, channel) for topic, channel in channels.items()})
        hub.loaded([topic.encode() for topic in TOPICS], EventId(1, heard))

    def _filling(self, topic: str, channel: OrderedChannel) -> Filling:
        kept = self.history[topic][-LENGTH:]
        later = [event for event in kept if event.event_id > channel.event_id]
        trimmed = len(self.history[topic]) > LENGTH and kept[0].event_id > channel.event_id
        floor = before(kept[0].event_id) if trimmed else channel.event_id
        return Filling(channel.event_id, later, floor, NEVER, lost=trimmed)

    def _record(self, topic: str) -> None:
        self.seq += 1
        self.history[topic].append(event(self.seq))

    def _viewer(self, which: int) -> Viewer | None:
        return self.viewers[which % len(self.viewers)] if self.viewers else None

    def settle(self) -> None:
        for viewer in self.viewers:
            viewer.sink.read_on()
        for _ in range(3):
            self.flush()


@examples(times=4)
@given(st.lists(step, max_size=50))
def test_every_event_comes_once_in_order_or_its_loss_is_told(
    steps: list[tuple[object, ...]],
) -> None:
    world = played(World, steps)

    for viewer in world.viewers:
        events = viewer.events()
        ids = [int(event.rpartition("-")[2]) for event in events if event.startswith("trade")]
        due = sorted(
            event.event_id.seq
            for topic in viewer.topics
            for event in world.history[topic]
            if event.event_id.seq > viewer.since
        )
        assert ids == sorted(set(ids))
        if not any(event.startswith("gap") for event in events):
            assert ids == due
        assert ids[-1:] == due[-1:]
    assert world.tape.hub.cursor >= NEVER
