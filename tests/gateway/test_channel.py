"""Conflation: which value of a topic leaves when, by a clock that the test moves."""

import pytest

from tests.gateway.fakes import STARTED, Bench


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_interval_zero_gives_every_value(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=0)

    for seq in range(1, 6):
        bench.publish(seq)

    assert sink.ids() == ["0-0", "1-1", "1-2", "1-3", "1-4", "1-5"]


async def test_the_first_value_of_a_window_goes_at_once(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=0.25)

    bench.publish(1)

    assert sink.ids() == ["0-0", "1-1"]


async def test_the_last_value_of_a_window_goes_when_it_ends_and_the_others_never(
    bench: Bench,
) -> None:
    _, sink = bench.client("SPY", interval=0.25)
    for seq in (1, 2, 3, 4):
        bench.publish(seq)

    bench.loop.advance(0.2)
    assert sink.ids() == ["0-0", "1-1"]
    bench.loop.advance(0.1)
    assert sink.ids() == ["0-0", "1-1", "1-4"]
    bench.loop.advance(10)
    assert sink.ids() == ["0-0", "1-1", "1-4"]


async def test_after_a_window_was_closed_by_its_last_value_the_next_waits_for_its_end(
    bench: Bench,
) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.publish(1)
    bench.publish(2)
    bench.loop.advance(1.1)
    bench.publish(3)
    assert sink.ids() == ["0-0", "1-1", "1-2"]

    bench.loop.advance(1)

    assert sink.ids() == ["0-0", "1-1", "1-2", "1-3"]


async def test_windows_are_aligned_to_the_clock_so_that_two_gateways_agree() -> None:
    one, other = Bench(), Bench()
    _, early = one.client("SPY", interval=1)
    other.loop.advance(0.3)
    one.loop.advance(0.3)
    _, late = other.client("SPY", interval=1)

    for step in range(40):
        for bench in (one, other):
            bench.publish(step + 1)
            bench.loop.advance(0.13)

    assert early.ids() == late.ids()
    assert len(early.ids()) < 12


async def test_a_window_ends_on_a_multiple_of_its_interval(bench: Bench) -> None:
    bench.loop.advance(0.9)
    _, sink = bench.client("SPY", interval=1)
    bench.publish(1)
    bench.publish(2)

    bench.loop.advance(0.11)

    assert int(STARTED) == STARTED
    assert sink.ids()[-1] == "1-2"


async def test_a_pause_lets_the_next_value_go_at_once(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.publish(1)
    bench.loop.advance(5)

    bench.publish(2)

    assert sink.ids()[-1] == "1-2"


@pytest.mark.parametrize("early", [0.0, 0.0005])
async def test_no_window_carries_more_than_one_value_though_timers_fire_early(
    bench: Bench, early: float
) -> None:
    bench.loop.early = early
    _, sink = bench.client("SPY", interval=1)
    for seq in range(1, 1001):
        bench.publish(seq)
        bench.loop.advance(0.01)
    bench.loop.advance(1)

    assert sink.ids()[-1] == "1-1000"
    assert len(sink.ids()) == 2 + 10  # nothing yet, the very first, the last of each window


async def test_a_late_timer_does_not_send_a_window_before_its_end(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.publish_silently(1)
    bench.publish_silently(2)
    bench.loop.jump(1.5)  # the loop was busy over the end of the window
    bench.publish_silently(3)
    bench.publish_silently(4)
    bench.loop.advance()
    assert sink.ids()[-1] == "1-3"

    bench.loop.advance(0.6)

    assert sink.ids() == ["0-0", "1-1", "1-3", "1-4"]


async def test_a_clock_that_is_set_back_delays_nothing_for_long(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    bench.publish(1)
    bench.loop.set_by = -3600

    bench.publish(2)
    bench.publish(3)
    bench.loop.advance(1)

    assert sink.ids()[-1] == "1-3"


@pytest.mark.parametrize(("epoch", "seq"), [(1, 5), (1, 4), (0, 9)])
async def test_an_equal_or_older_id_is_refused(bench: Bench, epoch: int, seq: int) -> None:
    _, sink = bench.client("SPY")
    bench.publish(5)

    bench.publish(seq, epoch=epoch)

    assert sink.ids() == ["0-0", "1-5"]


async def test_only_an_older_id_counts_as_refused(bench: Bench) -> None:
    bench.client("SPY")
    bench.publish(5)
    bench.publish(5)
    assert bench.hub.refused == 0

    bench.publish(4)

    assert bench.hub.refused == 1


async def test_a_newer_epoch_is_taken_though_it_counts_from_one_again(bench: Bench) -> None:
    _, sink = bench.client("SPY")
    bench.publish(900, epoch=1)

    bench.publish(1, epoch=2)

    assert sink.ids()[-1] == "2-1"


async def test_a_newcomer_within_a_window_gets_no_id_twice(bench: Bench) -> None:
    bench.client("SPY", interval=1)
    bench.publish(1)
    bench.publish(2)
    _, newcomer = bench.client("SPY", interval=1)
    assert newcomer.ids() == ["1-2"]

    bench.loop.advance(2)

    assert newcomer.ids() == ["1-2"]


async def test_a_newcomer_within_a_window_gets_what_comes_after_its_snapshot(bench: Bench) -> None:
    bench.client("SPY", interval=1)
    bench.publish(1)
    bench.publish(2)
    _, newcomer = bench.client("SPY", interval=1)
    bench.publish(3)

    bench.loop.advance(2)

    assert newcomer.ids() == ["1-2", "1-3"]


async def test_clients_of_different_intervals_do_not_disturb_each_other(bench: Bench) -> None:
    _, every = bench.client("SPY", interval=0)
    _, second = bench.client("SPY", interval=1)
    for seq in range(1, 5):
        bench.publish(seq)
    bench.loop.advance(1)

    assert every.ids() == ["0-0", "1-1", "1-2", "1-3", "1-4"]
    assert second.ids() == ["0-0", "1-1", "1-4"]


async def test_the_last_client_takes_the_lane_with_it(bench: Bench) -> None:
    one, _ = bench.client("SPY", interval=1)
    other, _ = bench.client("SPY", interval=1)
    [channel] = bench.hub.channels.values()

    bench.hub.leave(one)
    assert len(channel.lanes) == 1
    bench.hub.leave(other)

    assert channel.lanes == {}


async def test_a_lane_that_is_left_with_a_value_due_harms_nobody(bench: Bench) -> None:
    client, sink = bench.client("SPY", interval=1)
    bench.publish(1)
    bench.publish(2)
    bench.hub.leave(client)
    _, newcomer = bench.client("SPY", interval=1)

    bench.loop.advance(2)

    assert sink.ids() == ["0-0", "1-1"]
    assert newcomer.ids() == ["1-2"]
