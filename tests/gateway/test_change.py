"""A stream that gets other topics while it runs."""

import pytest

from gateway.fanout.cohort import Client
from shared.topics import price_topic
from tests.gateway.fakes import Bench


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def change(bench: Bench, client: Client, *symbols: str, interval: float = 0.0) -> None:
    topics = map(price_topic, symbols)
    bench.hub.join(client, bench.hub.watch(dict.fromkeys(topics, interval)))


async def test_what_is_added_begins_with_its_value_and_what_stays_is_not_repeated(
    bench: Bench,
) -> None:
    bench.client("IBM")
    client, sink = bench.client("SPY")
    bench.publish(1, "SPY")
    bench.publish(2, "IBM")
    change(bench, client, "SPY", "IBM")
    bench.loop.advance()
    bench.publish(3, "SPY")
    bench.publish(4, "IBM")

    assert sink.ids("SPY") == ["0-0", "1-1", "1-3"]
    assert sink.ids("IBM") == ["1-2", "1-4"]
    assert [ready["event_id"] for ready in sink.events("ready")] == ["0-0", "1-2"]


async def test_what_is_removed_comes_no_more_and_is_let_go(bench: Bench) -> None:
    client, sink = bench.client("SPY", "IBM")
    change(bench, client, "IBM")
    bench.loop.advance()
    bench.publish(1, "SPY")
    bench.publish(2, "IBM")

    assert sink.ids("SPY") == ["0-0"]
    assert sink.ids("IBM") == ["0-0", "1-2"]
    assert {c.topic: c.watchers for c in bench.hub.channels.values()} == {
        "price:SPY": 0,
        "price:IBM": 1,
    }


async def test_what_was_waiting_goes_first_and_comes_once(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    bench.publish_silently(1)
    change(bench, client, "SPY", "IBM")
    bench.publish_silently(2)
    bench.loop.advance()
    bench.publish(3)

    assert sink.ids() == ["0-0", "1-1", "1-2", "1-3"]


@pytest.mark.parametrize("interval", [1.0, 2.0])
async def test_within_a_window_no_id_comes_twice(bench: Bench, interval: float) -> None:
    client, sink = bench.client("SPY", interval=1)
    for seq in (1, 2, 3):
        bench.publish(seq)
    change(bench, client, "SPY", "IBM", interval=interval)
    bench.loop.advance(3)
    bench.publish(4)
    bench.loop.advance(3)

    assert sink.ids() == ["0-0", "1-1", "1-3", "1-4"]


async def test_a_client_that_has_not_been_given_its_values_yet_gets_them_once(
    bench: Bench,
) -> None:
    bench.client("SPY", "IBM")
    bench.publish(1, "SPY")
    client, sink = bench.open()
    bench.hub.join(client, bench.hub.watch({"price:SPY": 0.0}))
    change(bench, client, "SPY", "IBM")
    bench.loop.advance()
    bench.publish(2, "SPY")

    assert sink.ids("SPY") == ["1-1", "1-2"]
    assert sink.ids("IBM") == ["0-0"]


async def test_a_client_that_does_not_read_gets_its_new_topics_on_waking(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    sink.stop_reading()
    bench.publish(1)
    change(bench, client, "SPY", "IBM")
    bench.publish(2)
    sink.read_on()
    bench.hub.flusher.wake_readers()
    bench.loop.advance()

    assert sink.ids("SPY") == ["0-0", "1-1", "1-2"]
    assert sink.ids("IBM") == ["0-0"]


async def test_nothing_is_left_behind_after_a_change(bench: Bench) -> None:
    client, _ = bench.client("SPY", interval=1)
    change(bench, client, "IBM")
    bench.loop.advance(1)
    bench.hub.leave(client)

    assert all(not channel.lanes for channel in bench.hub.channels.values())
    assert not any(channel.watchers for channel in bench.hub.channels.values())


async def test_a_change_to_the_same_topics_repeats_nothing(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    bench.publish(1)
    change(bench, client, "SPY")
    bench.loop.advance()
    bench.publish(2)

    assert sink.ids() == ["0-0", "1-1", "1-2"]
    assert [channel.watchers for channel in bench.hub.channels.values()] == [1]
