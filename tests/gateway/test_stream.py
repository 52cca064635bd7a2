"""A stream as a client sees it: real server, real sockets, Valkey and memory alike."""

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.portable import Run


async def test_the_headers_keep_every_proxy_from_holding_the_stream_back(
    source: RedisSource, run: Run
) -> None:
    async with run(source) as url, open_stream(url, symbols="SPY") as stream:
        headers = {name: stream.headers[name] for name in stream.headers if name != "date"}

    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-store, no-transform",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "transfer-encoding": "chunked",
    }


async def test_hello_then_values_then_the_feed_then_ready_then_live(
    any_source: RedisSource, run: Run
) -> None:
    async with ingest_stub(any_source) as ingest, run(any_source) as url:
        await ingest.store(5, "SPY")
        async with open_stream(url, symbols="SPY,IBM", interval="0") as stream:
            await stream.until_kind("ready")
            await ingest.publish(6, "IBM")
            await ingest.publish(7, "SPY")
            prices = await stream.until_kind("price", 4)

    assert [event.kind for event in stream.events[:5]] == [
        "hello",
        "price",
        "price",
        "feed",
        "ready",
    ]
    [hello] = stream.of("hello")
    assert hello["topics"] == ["price:SPY", "price:IBM", "status:SPY", "status:IBM"]
    assert (hello["interval"], hello["denied"], hello["resumed"]) == (0.0, [], False)
    told = [(price["symbol"], price["event_id"], price["price"]) for price in prices]
    assert told == [
        ("SPY", "1-5", 0.05),
        ("IBM", "0-0", None),
        ("IBM", "1-6", 0.06),
        ("SPY", "1-7", 0.07),
    ]
    assert prices[1]["reason"] == "no_trade_seen"
    assert stream.events[4].id == stream.of("ready")[0]["event_id"] == "1-5"


async def test_a_heartbeat_is_a_named_event_with_the_cursor(source: RedisSource, run: Run) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source, heartbeat_seconds=0.1) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await stream.until_kind("ready")
        await ingest.report(1)
        await ingest.publish(2)
        await stream.until(lambda s: any(e.id == "1-2" for e in s.events if e.kind == "heartbeat"))

    last = stream.of("heartbeat")[-1]
    assert (last["event_id"], last["feed_state"], last["lag_ms"]) == ("1-2", "live", 3.5)
    assert stream.of("hello")[0]["heartbeat_seconds"] == 0.1


@pytest.mark.parametrize(
    ("asked", "echoed"), [("0", 0.0), ("1", 1.0), ("0.5", 0.5), ("0.2549", 0.25), ("60", 60.0)]
)
async def test_the_interval_is_echoed_as_it_was_understood(
    any_source: RedisSource, asked: str, echoed: float, run: Run
) -> None:
    async with (
        run(any_source) as url,
        open_stream(url, symbols="SPY", interval=asked) as stream,
    ):
        [hello] = await stream.until_kind("hello")

    assert hello["interval"] == echoed


async def test_without_an_interval_the_setting_holds(any_source: RedisSource, run: Run) -> None:
    async with (
        run(any_source, update_interval_seconds=3) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        [hello] = await stream.until_kind("hello")

    assert hello["interval"] == 3.0


async def test_symbols_are_upper_case_and_come_once(any_source: RedisSource, run: Run) -> None:
    async with (
        run(any_source) as url,
        open_stream(url, symbols="spy, IBM,SPY") as stream,
    ):
        [hello] = await stream.until_kind("hello")

    assert hello["topics"] == ["price:SPY", "price:IBM", "status:SPY", "status:IBM"]


@pytest.mark.slow
async def test_without_redis_a_stream_opens_and_says_what_is_missing(
    valkey: ValkeyServer, run: Run
) -> None:
    source = RedisSource(valkey.url)
    await valkey.stop()
    async with run(source) as url, open_stream(url, symbols="SPY") as stream:
        await stream.until_kind("ready")

    assert [price["reason"] for price in stream.of("price")] == ["redis_unavailable"]
    assert stream.of("feed")[-1]["state"] == "down"
    assert stream.of("feed")[-1]["reason"].startswith("redis_unavailable")


async def test_head_answers_with_the_headers_alone(any_source: RedisSource, run: Run) -> None:
    async with run(any_source) as url, httpx.AsyncClient() as client:
        answer = await client.head(f"{url}/api/stream/prices?symbols=SPY")
        status = (await client.get(f"{url}/api/stream/status")).json()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.content == b""
    assert status["clients"] == 0


async def test_two_gateways_on_one_redis_give_the_same_ids_and_values(
    source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source) as url,
        run(source) as other_url,
        open_stream(url, symbols="SPY", interval="0") as stream,
        open_stream(other_url, symbols="SPY", interval="0") as other,
    ):
        for each in (stream, other):
            await each.until_kind("ready")
        for seq in range(1, 101):
            await ingest.publish(seq)
        for each in (stream, other):
            await each.until_kind("price", 101)

    assert stream.of("price") == other.of("price")


@pytest.mark.slow
async def test_the_feed_tells_how_the_upstream_is_and_that_it_is_lost(
    any_source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(any_source) as ingest,
        run(any_source) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await ingest.report(1, "connecting")
        await stream.until(lambda s: "connecting" in [f["state"] for f in s.of("feed")])
        await ingest.report(2, "live")
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "live")
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "down")

    assert stream.of("feed")[-1]["reason"] == "ingest_lost: the ingest has fallen silent"
    assert stream.of("feed")[-1]["alpaca_connected"] is False


@pytest.mark.parametrize("stored", [b"", b"{}", b"no json", b'{"event_id":"x"}'])
async def test_a_report_of_another_version_ends_nothing(
    any_source: RedisSource, stored: bytes, run: Run
) -> None:
    async with ingest_stub(any_source) as ingest:
        await ingest.client.set("ingest:status", stored)
        await ingest.client.set("gateway:other-version", b'{"gateway_id":"other-version"}')
        async with run(any_source) as url, open_stream(url, symbols="SPY") as stream:
            await stream.until_kind("ready")
            await ingest.client.publish("ingest:status", stored)
            await ingest.client.publish("price:SPY", b"not a message")
            await ingest.publish(1)
            await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-1")
            async with httpx.AsyncClient() as client:
                status = await client.get(f"{url}/api/stream/status")

    assert status.status_code == 200
    assert status.json()["ingest"] is None
    assert len(status.json()["gateways"]) == 1
