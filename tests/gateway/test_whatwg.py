"""What the standard of Server-Sent Events asks of a server, and what clients need beyond it.

https://html.spec.whatwg.org/multipage/server-sent-events.html; every test reads a socket's bytes.
"""

import json
import re
import signal
from contextlib import AsyncExitStack

import pytest

from shared import message
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.topics import price_topic
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import IngestStub, ingest_stub
from tests.gateway.portable import Run
from tests.gateway.raw_stream import RawStream, raw_stream
from tests.processes import gateway_process
from tests.services import until

AWKWARD = "one\rtwo\nthree\r\n\r\nevent: bye\n\n\x00\x85\u2028\u2029\ufeff: \U0001f4c8"
"""Text with everything in it that ends a line, or that some take for the end of one."""

CORS_UNSAFE = set(range(0x20)) | {0x7F} | set(b'"():<>?@[\\]{}')
"""What in a ``Last-Event-ID`` makes a browser ask another origin first, as do 128 bytes or more."""


async def publish(ingest: IngestStub, seq: int, text: str) -> None:
    """Publish a price that says something; ``stamp`` and the encoder are the ingest's."""
    event_id, body = EventId(1, seq), json.dumps({"symbol": "SPY", "text": text}).encode()
    topic = price_topic("SPY")
    await ingest.client.publish(topic, message.pack(event_id, message.stamp(event_id, body)))


async def flood(ingest: IngestStub, last: int) -> None:
    for first in range(1, last, 1_000):
        await ingest.publish_many(range(first, first + 1_000))


async def test_rule_1_a_stream_is_200_and_text_event_stream(source: RedisSource, run: Run) -> None:
    async with run(source) as url, raw_stream(url, symbols="SPY") as stream:
        await stream.until(b"event: ready")

    assert stream.head.startswith(b"HTTP/1.1 200 ")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-cache, no-store, no-transform"
    assert not {"content-length", "content-encoding", "location"} & stream.headers.keys()


async def test_rule_2_no_byte_order_mark_precedes_the_first_event(
    source: RedisSource, run: Run
) -> None:
    async with run(source) as url, raw_stream(url, symbols="SPY") as stream:
        await stream.until(b"event: ready")

    assert stream.body.startswith(b"event: hello\n")


async def test_rule_3_lines_end_with_lf_whatever_the_data_say(
    source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source) as url,
        raw_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until(b"event: ready")
        await publish(ingest, 1, AWKWARD)
        await publish(ingest, 2, "the end")
        await stream.until(b"the end")

    assert b"\r" not in stream.body
    texts = [json.loads(data).get("text") for data in stream.values("data")]
    assert texts[-2:] == [AWKWARD, "the end"]
    assert "bye" not in stream.values("event")


async def test_rule_4_an_id_is_digits_and_stands_on_events_with_data_only(
    source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source, heartbeat_seconds=0.05) as url,
        raw_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until(b"event: ready")
        await ingest.publish(7)
        await stream.until(b"id: 1-7\n")

    ids = [dict(block) for block in stream.blocks if "id" in dict(block)]
    assert {block["event"] for block in ids} == {"ready", "heartbeat"}
    assert all(re.fullmatch(r"\d+-\d+", block["id"]) and block["data"] for block in ids)


async def test_rule_4_every_ordered_event_has_its_id(source: RedisSource, run: Run) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source) as url,
        raw_stream(url, "/api/stream", topics="trade:SPY,price:SPY", interval="0") as stream,
    ):
        await stream.until(b"event: ready")
        await ingest.publish(1)
        await ingest.client.publish("trade:SPY", b'1-2\n{"event_id":"1-2"}')
        await ingest.client.publish("trade:SPY", b'1-3 cancel\n{"event_id":"1-3"}')
        await ingest.publish(4)
        await stream.until(b'"1-4"')

    live = list(map(dict, stream.blocks))[-4:]
    assert [(block["event"], block.get("id")) for block in live] == [
        ("price", None),
        ("trade", "1-2"),
        ("cancel", "1-3"),
        ("price", None),
    ]


async def test_rule_5_a_retry_is_digits_only(source: RedisSource, run: Run) -> None:
    async with AsyncExitStack() as streams:
        async with run(source) as url:
            stream = await streams.enter_async_context(raw_stream(url, symbols="SPY"))
            await stream.until(b"event: ready")
        await stream.to_the_end()

    retries = stream.values("retry")
    assert len(retries) == 2  # of hello and of bye
    assert all(re.fullmatch(r"\d+", retry) for retry in retries)
    assert stream.complete


async def test_rule_6_every_line_is_a_known_field_with_a_value(
    source: RedisSource, run: Run
) -> None:
    async with AsyncExitStack() as streams:
        async with ingest_stub(source) as ingest, run(source, heartbeat_seconds=0.05) as url:
            stream = await streams.enter_async_context(raw_stream(url, symbols="SPY"))
            await stream.until(b"event: heartbeat")
            await publish(ingest, 1, AWKWARD)
            await stream.until(b'"1-1"')
        await stream.to_the_end()

    for block in stream.blocks:
        names = [name for name, _ in block]
        assert names[0] == "event"
        assert names[-1] == "data"
        assert set(names[1:-1]) <= {"id", "retry"}
        assert len(names) == len(set(names))
        assert all(value for _, value in block)


async def test_rule_7_no_line_is_a_comment_and_no_block_is_empty(
    source: RedisSource, run: Run
) -> None:
    async with run(source, heartbeat_seconds=0.05) as url, raw_stream(url, symbols="SPY") as stream:
        await stream.until(b"event: heartbeat")

    assert not stream.body.startswith((b":", b"\n"))
    assert b"\n:" not in stream.body
    assert b"\n\n\n" not in stream.body


async def test_rule_8_every_write_is_whole_events_and_a_proper_end_says_so(
    source: RedisSource, run: Run
) -> None:
    async with AsyncExitStack() as streams:
        async with ingest_stub(source) as ingest, run(source) as url:
            stream = await streams.enter_async_context(
                raw_stream(url, symbols="SPY", interval="0", slow=True)
            )
            await stream.until(b"event: ready")
            await flood(ingest, 5_000)
            await stream.until(b'"1-5000"')
        await stream.to_the_end()

    assert all(chunk.endswith(b"\n\n") for chunk in stream.chunks)
    assert any(chunk.count(b"\n\n") > 1 for chunk in stream.chunks)
    assert (stream.complete, stream.rest) == (True, b"")
    assert stream.values("event")[-1] == "bye"


@pytest.mark.slow
async def test_rule_8_a_slow_client_that_is_cut_never_takes_a_part_for_the_whole(
    source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source, run, slow_client_seconds=0.2) as (url, hub),
        raw_stream(url, symbols="SPY", interval="0", slow=True) as stream,
    ):
        await stream.until(b"event: ready")
        await flood(ingest, 60_000)
        await until(lambda: not hub.clients)
        await stream.to_the_end()

    cut(stream)


@pytest.mark.slow
async def test_rule_8_what_a_killed_gateway_leaves_is_never_taken_for_the_whole(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_process(valkey.url) as (url, process),
        raw_stream(url, symbols="SPY", interval="0", slow=True) as stream,
        open_stream(url, symbols="SPY", interval="0") as other,
    ):
        await stream.until(b"event: ready")
        await other.until_kind("ready")
        await flood(ingest, 10_000)
        await other.until(lambda s: s.of("price")[-1]["event_id"] == "1-10000")
        process.send(signal.SIGKILL)
        await process.ended()
        await stream.to_the_end()

    cut(stream)
    assert stream.rest


def cut(stream: RawStream) -> None:
    """Assert that a client knows of a lost connection, and where the last whole event ends.

    The kernel may have sent a part of a write when the process died, which cannot be prevented.
    But nothing may follow the part, and the response may not end as if it were complete.
    """
    assert not stream.complete
    assert all(chunk.endswith(b"\n\n") for chunk in stream.chunks)
    size, _, part = stream.rest.partition(b"\r\n")
    assert not size or len(part) < int(size, 16) + 2
    for block in (stream.body + part).split(b"\n\n")[:-1]:
        event, *_, data = block.split(b"\n")
        assert event.startswith(b"event: ")
        json.loads(data.removeprefix(b"data: "))


@pytest.mark.parametrize("digits", [19, 20, 200])
async def test_rule_9_last_event_id_never_makes_a_browser_ask_another_origin_first(
    source: RedisSource, run: Run, digits: int
) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source, heartbeat_seconds=0.05) as url,
        raw_stream(url, symbols="SPY,IBM", interval="0") as stream,
    ):
        await stream.until(b"event: ready")
        await ingest.client.publish("price:SPY", b"1-%b\n{}" % (b"9" * digits))
        await ingest.publish(1, "IBM")
        await stream.until(b'"1-1"')
        seen = len(stream.body)
        await stream.until(b"event: heartbeat", after=seen)

    ids = [each.encode() for each in stream.values("id")]
    assert all(len(each) <= 128 and not CORS_UNSAFE & set(each) for each in ids)


async def test_rule_10_a_sign_of_life_is_an_event_that_a_page_can_see(
    source: RedisSource, run: Run
) -> None:
    async with run(source, heartbeat_seconds=0.05) as url, raw_stream(url, symbols="SPY") as stream:
        await stream.until(b"event: heartbeat")

    events = {block["event"]: json.loads(block["data"]) for block in map(dict, stream.blocks)}
    assert events["hello"]["heartbeat_seconds"] == 0.05
    assert events["heartbeat"]["server_time"]


async def test_rule_11_one_connection_is_enough_for_all_that_a_page_watches(
    source: RedisSource, run: Run
) -> None:
    symbols = [f"S{number}" for number in range(500)]
    async with run(source) as url, raw_stream(url, symbols=",".join(symbols)) as stream:
        await stream.until(b"event: ready")

    prices = [json.loads(b["data"]) for b in map(dict, stream.blocks) if b["event"] == "price"]
    assert [price["symbol"] for price in prices] == symbols
