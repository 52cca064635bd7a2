"""Events that are no value of their topic, such as ``gap``, and topics that may have none."""

import json

import httpx
import pytest

from shared import ingest_status, message
from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from shared.gap import GAP
from shared.topics import STATUS, topic
from tests.event_stream import open_stream
from tests.gateway.fakes import Bench, FakeSink
from tests.gateway.ingest_stub import ingest_stub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def lose(bench: Bench, seq: int, name: str = GAP) -> None:
    body = json.dumps({"topics": ["price:SPY"]}).encode()
    event_id = EventId(1, seq)
    bench.hub.publish(b"price:SPY", message.pack(event_id, message.stamp(event_id, body), name))
    bench.loop.advance()


def everything(sink: FakeSink) -> list[str]:
    """Return what a client got, as event and id."""
    found = []
    for block in b"".join(sink.writes).decode().split("\n\n")[:-1]:
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        if lines["event"] != "ready":
            found.append(f"{lines['event']} {json.loads(lines['data'])['event_id']}")
    return found


async def test_a_named_event_goes_to_the_topics_clients_and_to_nobody_else(bench: Bench) -> None:
    _, sink = bench.client("SPY")
    _, other = bench.client("IBM")
    lose(bench, 1)

    assert everything(sink) == ["price 0-0", "gap 1-1"]
    assert everything(other) == ["price 0-0"]
    assert bench.hub.newest == (1, 1)


async def test_it_does_not_replace_the_value_that_newcomers_get(bench: Bench) -> None:
    bench.client("SPY")
    bench.publish(1)
    lose(bench, 2)
    _, newcomer = bench.client("SPY")

    assert everything(newcomer) == ["price 1-1"]


async def test_it_does_not_hide_a_stored_value_that_is_read_after_it(bench: Bench) -> None:
    _, sink = bench.client("SPY")
    lose(bench, 2)
    bench.publish(1)

    assert everything(sink)[-1] == "price 1-1"


async def test_it_waits_for_no_window_and_what_waited_goes_before_it(bench: Bench) -> None:
    _, sink = bench.client("SPY", interval=1)
    for seq in (1, 2, 3):
        bench.publish(seq)
    lose(bench, 4)
    assert everything(sink) == ["price 0-0", "price 1-1", "price 1-3", "gap 1-4"]

    bench.publish(5)
    bench.publish(6)
    bench.loop.advance(1)
    assert everything(sink)[4:] == ["price 1-6"]


@pytest.mark.parametrize("seq", [3, 2])
async def test_one_that_comes_again_or_too_late_is_passed_over(bench: Bench, seq: int) -> None:
    _, sink = bench.client("SPY")
    lose(bench, 3)
    lose(bench, seq)

    assert everything(sink) == ["price 0-0", "gap 1-3"]


async def test_a_client_that_does_not_read_gets_the_newest_of_each_name_in_order(
    bench: Bench,
) -> None:
    _, sink = bench.client("SPY")
    sink.stop_reading()
    bench.publish(1)
    lose(bench, 2)
    lose(bench, 3)
    lose(bench, 4, "correction")
    bench.publish(5)
    assert everything(sink) == ["price 0-0", "price 1-1"]

    sink.read_on()
    bench.hub.flusher.wake_readers()
    bench.loop.advance()
    assert everything(sink)[2:] == ["gap 1-3", "correction 1-4", "price 1-5"]


async def test_a_stream_of_prices_brings_the_status_of_its_symbols(any_source: RedisSource) -> None:
    def packed(seq: int, symbol: str, state: str) -> bytes:
        body = json.dumps({"symbol": symbol, "state": state}).encode()
        return message.pack(EventId(1, seq), message.stamp(EventId(1, seq), body))

    spy, ibm = topic(STATUS, "SPY"), topic(STATUS, "IBM")
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        await ingest.client.set(KEYSPACE.last(spy), packed(1, "SPY", "live"))
        async with open_stream(url, symbols="SPY,IBM") as stream:
            await stream.until_kind("ready")
            kinds = [event.kind for event in stream.events]
            assert kinds == ["hello", "price", "price", "status", "feed", "ready"]
            assert [(s["symbol"], s["state"]) for s in stream.of("status")] == [("SPY", "live")]

            await ingest.client.publish(ibm, packed(2, "IBM", "halted"))
            statuses = await stream.until_kind("status", 2)
            assert (statuses[1]["symbol"], statuses[1]["state"]) == ("IBM", "halted")


async def test_the_limit_of_a_stream_counts_symbols(any_source: RedisSource) -> None:
    async with running_gateway(any_source, max_topics_per_client=2) as url:
        async with open_stream(url, symbols="SPY,IBM") as stream:
            await stream.until_kind("ready")
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{url}/api/stream/prices?symbols=SPY,IBM,BAC")
    assert answer.json()["error"]["code"] == "too_many_symbols"


async def test_the_status_passes_on_what_the_ingest_reports_known_here_or_not(
    any_source: RedisSource,
) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        await ingest.report(1)
        stored = await ingest.client.get(KEYSPACE.ingest_status)
        assert isinstance(stored, bytes)
        newer = stored[:-1] + b',"weather":[{"code":"fog"}]}'
        assert ingest_status.decode(newer).state == "live"
        await ingest.client.set(KEYSPACE.ingest_status, newer)
        async with httpx.AsyncClient() as client:

            async def passed_on() -> bool:
                answer = (await client.get(f"{url}/api/stream/status")).json()
                return bool(answer["ingest"] == json.loads(newer))

            await until(passed_on)
