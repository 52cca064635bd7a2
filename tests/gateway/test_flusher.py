import pytest

from gateway.fanout.cohort import MEMBER
from tests.gateway.fakes import HEARTBEAT, Bench, feed


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_everything_pending_for_a_client_leaves_in_one_write(bench: Bench) -> None:
    _, sink = bench.client("SPY", "IBM")
    before = len(sink.writes)
    for seq in range(1, 101):
        bench.publish_silently(seq, "SPY" if seq % 2 else "IBM")

    bench.loop.advance()

    assert len(sink.writes) == before + 1
    assert sink.writes[-1].count(b"event: price") == 100


async def test_each_client_is_written_to_once_per_flush(bench: Bench) -> None:
    sinks = [bench.client("SPY")[1] for _ in range(20)]
    before = [len(sink.writes) for sink in sinks]
    for seq in range(1, 6):
        bench.publish_silently(seq)

    bench.loop.advance()

    assert [len(sink.writes) for sink in sinks] == [count + 1 for count in before]


async def test_an_idle_gateway_writes_at_once() -> None:
    bench = Bench(flush_interval=0.02)
    _, sink = bench.client("SPY")

    bench.publish(1)

    assert sink.ids() == ["0-0", "1-1"]


@pytest.mark.parametrize(("cost", "rest"), [(0.001, 0.002), (5.0, 0.02)])
async def test_after_a_flush_that_took_long_the_next_waits_for_company(
    cost: float, rest: float
) -> None:
    bench = Bench(flush_interval=0.02)
    _, sink = bench.client("SPY")
    bench.loop.advance(1)
    slow = bench.client("IBM")[1]
    slow.write = lambda *_: bench.loop.jump(cost)  # type: ignore[method-assign]
    bench.publish(1, "IBM")

    bench.publish(1)
    bench.publish(2)
    assert sink.ids() == ["0-0"]
    bench.loop.advance(rest + 1e-6)  # floats of unix time are coarse

    assert sink.ids() == ["0-0", "1-1", "1-2"]
    assert sink.writes[-1].count(b"event:") == 2


async def test_nothing_is_kept_for_a_stalled_client(bench: Bench) -> None:
    client, sink = bench.client("SPY", "IBM")
    sink.stop_reading()
    bench.publish(1)
    written = len(sink.writes)

    for seq in range(2, 1001):
        bench.publish(seq, "SPY" if seq % 2 else "IBM")

    assert len(sink.writes) == written
    assert client.cohort is not None
    assert client.cohort.unsent(client) == []


async def test_a_client_that_reads_again_gets_the_newest_of_each_channel(bench: Bench) -> None:
    client, sink = bench.client("SPY", "IBM", "AIG")
    sink.stop_reading()
    bench.publish(1)
    for seq in range(2, 100):
        bench.publish(seq, "SPY" if seq % 2 else "IBM")

    sink.read_on()
    bench.hub.flusher.wake_readers()
    bench.loop.advance()
    bench.publish(100)

    assert sink.ids("SPY") == ["0-0", "1-1", "1-99", "1-100"]
    assert sink.ids("IBM") == ["0-0", "1-98"]
    assert sink.ids("AIG") == ["0-0"]
    assert client.place is MEMBER


async def test_waking_within_a_window_gives_no_id_twice(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.client("SPY", interval=1)
    sink.stop_reading()
    bench.publish(1)
    bench.loop.advance(1)
    bench.publish(2)  # held: the first of its window
    bench.publish(3)  # due at the window's end
    sink.read_on()
    bench.hub.flusher.wake_readers()

    bench.loop.advance(2)

    assert sink.ids() == ["0-0", "1-1", "1-3"]


async def test_a_client_stays_stalled_until_all_of_it_is_read(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    sink.stop_reading()
    bench.publish(1)
    sink._buffered = 1

    bench.hub.flusher.wake_readers()

    assert client in bench.hub.flusher.stalled


async def test_one_stalled_client_does_not_hold_up_the_others(bench: Bench) -> None:
    _, stuck = bench.client("SPY")
    _, other = bench.client("SPY")
    stuck.stop_reading()

    for seq in range(1, 51):
        bench.publish(seq)

    assert other.ids() == ["0-0", *(f"1-{seq}" for seq in range(1, 51))]


async def test_only_those_that_have_not_read_for_so_long_are_named(bench: Bench) -> None:
    first, first_sink = bench.client("SPY")
    _, second_sink = bench.client("SPY")
    first_sink.stop_reading()
    bench.publish(1)
    bench.loop.advance(20)
    second_sink.stop_reading()
    bench.publish(2)
    bench.loop.advance(11)

    assert bench.hub.flusher.stalled_longer_than(30) == [first]


async def test_a_heartbeat_is_not_kept_for_a_stalled_client_but_the_feed_is(bench: Bench) -> None:
    _, sink = bench.client("SPY")
    sink.stop_reading()
    bench.publish(1)
    bench.hub.send_heartbeat(HEARTBEAT)
    bench.hub.announce_feed(feed("down"))
    bench.hub.announce_feed(feed("live"))

    sink.read_on()
    bench.hub.flusher.wake_readers()
    bench.loop.advance()

    assert sink.events("heartbeat") == []
    assert [each["state"] for each in sink.events("feed")] == ["live"]
