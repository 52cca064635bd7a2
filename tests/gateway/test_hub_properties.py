"""Whatever happens in whatever order, every client sees each topic move forward only."""

from functools import partial
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.fanout.cohort import MEMBER, Client
from shared.event_id import NEVER, EventId
from tests.examples import examples
from tests.gateway.fakes import Bench, FakeSink
from tests.gateway.played import played

SYMBOLS = ("SPY", "IBM", "AIG")
INTERVALS = (0.0, 0.25, 1.0)

step = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(SYMBOLS), st.integers(-2, 3)),
    st.tuples(st.just("publish"), st.sampled_from(SYMBOLS), st.just(1)),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.01, 0.1, 0.26, 1.1, 7.0])),
    st.tuples(st.just("jump"), st.sampled_from([0.01, 0.3, 1.5])),
    st.tuples(
        st.just("join"),
        st.sets(st.sampled_from(SYMBOLS), min_size=1),
        st.sampled_from(INTERVALS),
    ),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(
        st.just("change"),
        st.integers(0, 9),
        st.sets(st.sampled_from(SYMBOLS), min_size=1),
        st.sampled_from(INTERVALS),
    ),
    st.tuples(st.just("stall"), st.integers(0, 9)),
    st.tuples(st.just("read"), st.integers(0, 9)),
)


class World:
    """A hub, its clients, and the published events."""

    def __init__(self, early: float) -> None:
        self.bench = Bench(flush_interval=0.02)
        self.bench.loop.early = early
        self.seq = 0
        self.published: dict[str, list[EventId]] = {symbol: [] for symbol in SYMBOLS}
        self.here: list[tuple[Client, FakeSink, tuple[str, ...]]] = []
        self.all: dict[FakeSink, tuple[str, ...]] = {}

    def publish(self, symbol: str, ahead: int) -> None:
        seq = max(self.seq + ahead, 1)
        self.seq = max(self.seq, seq)
        self.bench.publish_silently(seq, symbol)
        if f"price:{symbol}".encode() in self.bench.hub.channels:
            self.published[symbol].append(EventId(1, seq))

    def advance(self, seconds: float) -> None:
        self.bench.loop.advance(seconds)
        self.bench.hub.flusher.wake_readers()
        self.bench.hub.drop_idle()

    def jump(self, seconds: float) -> None:
        self.bench.loop.jump(seconds)

    def join(self, symbols: set[str], interval: float) -> None:
        wanted = tuple(sorted(symbols))
        client, sink = self.bench.client(*wanted, interval=interval)
        self.here.append((client, sink, wanted))
        self.all[sink] = wanted

    def leave(self, which: int) -> None:
        if self.here:
            client, _, _ = self.here.pop(which % len(self.here))
            self.bench.hub.leave(client)

    def change(self, which: int, symbols: set[str], interval: float) -> None:
        if self.here:
            which %= len(self.here)
            client, sink, _ = self.here[which]
            wanted = tuple(sorted(symbols))
            topics = [f"price:{symbol}" for symbol in wanted]
            self.bench.hub.join(client, self.bench.hub.watch(dict.fromkeys(topics, interval)))
            self.here[which] = (client, sink, wanted)
            # A topic that was removed may send its value again when it is added again.
            self.all[sink] = tuple(symbol for symbol in self.all[sink] if symbol in wanted)

    def stall(self, which: int) -> None:
        if self.here:
            self.here[which % len(self.here)][1].stop_reading()

    def read(self, which: int) -> None:
        if self.here:
            self.here[which % len(self.here)][1].read_on()

    def settle(self) -> None:
        for _, sink, _ in self.here:
            sink.read_on()
        for _ in range(4):
            self.advance(1.1)


@examples(times=3)
@given(st.lists(step, max_size=60), st.sampled_from([0.0, 0.0005]))
def test_ids_only_grow_the_last_value_arrives_and_nothing_is_invented(
    steps: list[tuple[object, ...]], early: float
) -> None:
    world = played(partial(World, early), steps)

    for sink, symbols in world.all.items():
        for symbol in symbols:
            ids = [EventId.parse(text) for text in sink.ids(symbol)]
            assert all(one < other for one, other in pairwise(ids))
            assert set(ids) <= {NEVER, *world.published[symbol]}
    for client, sink, symbols in world.here:
        assert client.place == MEMBER
        for symbol in symbols:
            channel = world.bench.hub.channels[f"price:{symbol}".encode()]
            assert EventId.parse(sink.ids(symbol)[-1]) == channel.event_id
    for client, _, _ in list(world.here):
        world.bench.hub.leave(client)
    world.advance(10)
    world.advance(10)
    hub = world.bench.hub
    assert (hub.channels, hub.clients, hub.flusher.stalled) == ({}, {}, {})
