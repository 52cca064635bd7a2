import gc
import weakref

import pytest

from gateway.fanout.hub import CHANNEL_LINGER_SECONDS
from tests.gateway.fakes import HEARTBEAT, Bench, feed, packed


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_watching_something_new_is_told_once(bench: Bench) -> None:
    bench.hub.watch(dict.fromkeys(["price:SPY", "price:IBM"], 0.0))
    bench.hub.watch({"price:SPY": 0.0})

    assert bench.changes == 1
    assert set(bench.hub.channels) == {b"price:SPY", b"price:IBM"}


async def test_a_channel_that_nobody_watches_lingers_and_is_then_dropped(bench: Bench) -> None:
    bench.hub.unwatch(bench.hub.watch({"price:SPY": 0.0}))

    bench.loop.advance(CHANNEL_LINGER_SECONDS)
    bench.hub.drop_idle()
    assert b"price:SPY" in bench.hub.channels
    bench.loop.advance(0.1)
    bench.hub.drop_idle()

    assert bench.hub.channels == {}
    assert bench.changes == 2


async def test_whoever_comes_back_in_time_keeps_the_channel_and_its_frame(bench: Bench) -> None:
    client, _ = bench.client("SPY")
    bench.publish(1)
    bench.hub.leave(client)
    bench.loop.advance(CHANNEL_LINGER_SECONDS - 1)
    _, again = bench.client("SPY")
    bench.loop.advance(CHANNEL_LINGER_SECONDS * 2)
    bench.hub.drop_idle()

    assert again.ids() == ["1-1"]
    assert bench.changes == 1


async def test_a_channel_lives_as_long_as_any_of_its_watchers(bench: Bench) -> None:
    one = bench.hub.watch({"price:SPY": 0.0})
    bench.hub.watch({"price:SPY": 0.0})
    bench.hub.unwatch(one)
    bench.loop.advance(CHANNEL_LINGER_SECONDS * 2)

    bench.hub.drop_idle()

    assert b"price:SPY" in bench.hub.channels


async def test_a_value_for_a_topic_that_nobody_watches_is_passed_over(bench: Bench) -> None:
    bench.publish(1)

    assert bench.hub.newest == (0, 0)


async def test_what_is_no_message_is_an_error_and_changes_nothing(bench: Bench) -> None:
    _, sink = bench.client("SPY")

    with pytest.raises(ValueError, match="not a Tapecast message"):
        bench.hub.publish(b"price:SPY", b"{}")

    assert sink.ids() == ["0-0"]


async def test_a_newcomer_gets_the_newest_value_and_no_older_one(bench: Bench) -> None:
    bench.client("SPY")
    bench.publish(1)
    bench.publish(2)

    _, sink = bench.client("SPY")

    assert sink.ids() == ["1-2"]


async def test_values_come_in_the_order_asked_for(bench: Bench) -> None:
    _, sink = bench.client("SPY", "IBM", "AIG")

    assert [price["symbol"] for price in sink.events()] == ["SPY", "IBM", "AIG"]


async def test_a_missing_value_says_whether_redis_knows_it(bench: Bench) -> None:
    [known, _] = bench.hub.watch(dict.fromkeys(["price:SPY", "price:IBM"], 0.0))
    known.loaded.set()

    _, sink = bench.client("SPY", "IBM")

    assert [price["reason"] for price in sink.events()] == ["no_trade_seen", "redis_unavailable"]


async def test_nothing_of_a_client_stays_when_it_leaves(bench: Bench) -> None:
    client, sink = bench.client("SPY", "IBM", interval=1)
    sink.stop_reading()
    for seq in (1, 2):
        bench.publish(seq)
    bench.publish_silently(3)
    assert client in bench.hub.flusher.stalled
    gone = weakref.ref(sink)  # a reference to the client would keep its sink

    bench.hub.leave(client)
    del client, sink
    gc.collect()

    assert gone() is None
    assert all(not channel.lanes for channel in bench.hub.channels.values())
    assert not bench.hub.clients


async def test_nothing_is_written_to_a_client_that_has_left(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    bench.publish_silently(1)
    bench.hub.leave(client)
    before = list(sink.writes)

    bench.publish(2)
    bench.hub.announce_feed(feed("live"))
    bench.hub.send_heartbeat(HEARTBEAT)
    bench.loop.advance(10)

    assert sink.writes == before


async def test_a_client_that_left_while_not_reading_is_not_counted_as_stalled(
    bench: Bench,
) -> None:
    client, sink = bench.client("SPY")
    sink._buffered = 1_000_000
    bench.publish_silently(1)

    bench.hub.leave(client)
    bench.loop.advance(1)

    assert bench.hub.flusher.stalled == {}


async def test_the_end_comes_after_what_was_waiting_and_in_one_write(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    bench.publish_silently(1)

    bench.hub.end(client, "shutdown")

    assert [b"price" in sink.writes[-1], sink.writes[-1].count(b"event:")] == [True, 2]
    assert sink.writes[-1].endswith(b'"retry_ms":700}\n\n')
    assert sink.closed


async def test_nothing_comes_after_the_end(bench: Bench) -> None:
    client, sink = bench.client("SPY")
    sink.stop_reading()
    bench.publish(1)
    bench.publish(2)
    bench.hub.end(client, "slow")
    sink.read_on()

    bench.publish(3)
    bench.hub.flusher.wake_readers()
    bench.loop.advance(10)

    assert b"event: bye" in sink.writes[-1]
    assert sink.ids() == ["0-0", "1-1"]


async def test_the_highest_id_seen_is_the_cursor(bench: Bench) -> None:
    bench.client("SPY", "IBM")
    bench.publish(7, "SPY")
    bench.publish(5, "IBM")

    assert bench.hub.cursor == (1, 7)


async def test_the_feed_is_told_to_those_who_have_joined_and_kept_for_others(bench: Bench) -> None:
    _, sink = bench.client("SPY")
    _, waiting = bench.open()

    bench.hub.announce_feed(feed("live"))
    bench.loop.advance()
    _, newcomer = bench.client("SPY")

    assert sink.writes[-1].startswith(b"event: feed\ndata: {")
    assert waiting.writes == []
    assert [each["state"] for each in newcomer.events("feed")] == ["live"]


async def test_frames_are_shared_not_copied(bench: Bench) -> None:
    _, one = bench.client("SPY")
    _, other = bench.client("SPY")

    bench.publish(1)

    assert one.writes[-1] is other.writes[-1]


async def test_a_published_value_is_forwarded_untouched(bench: Bench) -> None:
    _, sink = bench.client("SPY")

    bench.publish(1)

    _, _, body = packed(1).partition(b"\n")
    assert sink.writes[-1] == b"event: price\ndata: " + body + b"\n\n"
