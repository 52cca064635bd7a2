"""Whatever happens in whatever order, every client ends with the rows that are open, and no other.

Rows arrive in another order than that of their ids, as after a loss of Redis, when stored rows are
read while newer ones already arrive.
"""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from gateway.fanout.table_channel import TableChannel
from shared.event_id import EventId
from tests.examples import examples
from tests.gateway.fakes import Bench
from tests.gateway.played import played
from tests.gateway.rows import TABLE, Held, got, row

SYMBOLS = ("SPY", "IBM", "AIG", "BAC")
INTERVALS = (0.0, 0.25, 1.0)

which = st.integers(0, 9)
step = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(SYMBOLS), st.booleans(), st.integers(-3, 3)),
    st.tuples(st.just("burst"), st.lists(st.sampled_from(SYMBOLS), min_size=2, max_size=6)),
    st.tuples(st.just("keep"), st.sets(st.sampled_from(SYMBOLS)), st.integers(-3, 1)),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.01, 0.1, 0.26, 1.1])),
    st.tuples(st.just("jump"), st.sampled_from([0.01, 0.3, 1.5])),
    st.tuples(st.just("join"), st.sampled_from(INTERVALS)),
    st.tuples(st.just("leave"), which),
    st.tuples(st.just("move"), which, st.sampled_from(INTERVALS)),
    st.tuples(st.just("stall"), which),
    st.tuples(st.just("read"), which),
)


class World:
    """A hub with a table, its clients, and what the table must be by the ids alone."""

    def __init__(self, early: float) -> None:
        self.bench = Bench(flush_interval=0.02)
        self.bench.loop.early = early
        [channel] = self.bench.hub.watch({TABLE: 0.0})
        assert isinstance(channel, TableChannel)
        self.table = channel
        self.seq = 10
        self.newest: dict[str, tuple[int, bool]] = {}
        self.here = [self.bench.stream(TABLE, interval=interval) for interval in INTERVALS]

    def change(self, symbol: str, removed: bool, ahead: int) -> None:
        seq = self.seq + ahead
        self.seq = max(self.seq, seq)
        self.bench.hub.publish(TABLE.encode(), row(seq, symbol, removed=removed))
        self._expect(symbol, seq, removed)

    def burst(self, symbols: list[str]) -> None:
        for symbol in symbols:
            self.change(symbol, removed=False, ahead=1)

    def keep(self, symbols: set[str], ahead: int) -> None:
        seq = self.seq + ahead
        self.seq = max(self.seq, seq)
        self.table.keep(symbols, EventId(1, seq))
        for symbol, (_, removed) in list(self.newest.items()):
            if symbol not in symbols and not removed:
                self._expect(symbol, seq, True)

    def _expect(self, symbol: str, seq: int, removed: bool) -> None:
        if seq > self.newest.get(symbol, (0, False))[0]:
            self.newest[symbol] = (seq, removed)

    def advance(self, seconds: float) -> None:
        self.bench.loop.advance(seconds)
        self.bench.hub.flusher.wake_readers()

    def jump(self, seconds: float) -> None:
        self.bench.loop.jump(seconds)

    def join(self, interval: float) -> None:
        self.here.append(self.bench.stream(TABLE, interval=interval))

    def leave(self, which: int) -> None:
        if self.here:
            self.bench.hub.leave(self.here.pop(which % len(self.here))[0])

    def move(self, which: int, interval: float) -> None:
        if self.here:
            client, _ = self.here[which % len(self.here)]
            self.bench.hub.join(client, self.bench.hub.watch({TABLE: interval}))

    def stall(self, which: int) -> None:
        if self.here:
            self.here[which % len(self.here)][1].stop_reading()

    def read(self, which: int) -> None:
        if self.here:
            self.here[which % len(self.here)][1].read_on()

    def settle(self) -> None:
        for _, sink in self.here:
            sink.read_on()
        for _ in range(4):
            self.advance(1.1)


@examples(times=4)
@given(st.lists(step, max_size=60), st.sampled_from([0.0, 0.0005]))
def test_every_client_ends_with_the_open_rows_and_no_row_goes_back(
    steps: list[tuple[object, ...]], early: float
) -> None:
    world = played(partial(World, early), steps)

    expected = {symbol: seq for symbol, (seq, removed) in world.newest.items() if not removed}
    for _, sink in world.here:
        held = Held()
        for told in got(sink):
            held.take(told)
        assert held.rows == expected
    assert len(world.bench.hub.flusher.stalled) == 0
