import json
from collections.abc import Iterable

import httpx
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from sseclient import SSEClient

from gateway.wire import events, sse
from shared.event_id import NEVER, EventId
from tests.gateway.encoded import Sent, pieces_of, sizes, streams
from tests.gateway.encoded import events as events_sent


def _read(pieces: Iterable[bytes]) -> list[ServerSentEvent]:
    type_ = {"Content-Type": "text/event-stream"}
    return list(EventSource(httpx.Response(200, headers=type_, content=pieces)).iter_sse())


def test_the_exact_bytes_of_an_event() -> None:
    assert sse.event("price", b"{}") == b"event: price\ndata: {}\n\n"
    assert (
        sse.event("bye", b'{"a":1}', cursor=EventId(2, 9), retry_ms=750)
        == b'event: bye\nid: 2-9\nretry: 750\ndata: {"a":1}\n\n'
    )


def test_a_head_and_json_make_the_same_bytes_as_an_event() -> None:
    assert sse.head_of("price") + b"{}\n\n" == sse.event("price", b"{}")


@given(streams, sizes)
def test_httpx_sse_reads_what_was_meant_however_it_is_cut(sent: list[Sent], size: int) -> None:
    read = _read(iter(pieces_of(sent, size)))

    assert [(event.event, json.loads(event.data), event.retry) for event in read] == [
        (each.kind, each.value, each.retry_ms) for each in sent
    ]
    cursor = ""
    for event, each in zip(read, sent, strict=True):
        cursor = each.id or cursor
        assert event.id == cursor


@given(streams, sizes)
def test_sseclient_reads_what_was_meant_however_it_is_cut(sent: list[Sent], size: int) -> None:
    read = list(SSEClient(iter(pieces_of(sent, size))).events())

    assert [(event.event, json.loads(event.data), event.id or "") for event in read] == [
        (each.kind, each.value, each.id) for each in sent
    ]


@given(events_sent)
def test_an_event_has_no_byte_that_breaks_a_client(sent: Sent) -> None:
    data = sent.encoded()

    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert b"\x00" not in data
    assert data.endswith(b"\n\n")
    assert data.count(b"\n\n") == 1
    assert not any(line.startswith(b":") for line in data.split(b"\n"))


def test_every_event_of_ours_is_read_with_its_kind() -> None:
    hello = events.Hello(
        stream_id="a-1",
        server_time="2013-10-09T13:30:00.000Z",
        heartbeat_seconds=10,
        topics=["price:SPY"],
        denied=[],
        interval=0.25,
        resumed=False,
        event_id="0-0",
    )
    cursor = EventId(1, 5)
    made = (
        events.hello(hello, 700),
        events.no_price("price:SPY", "no_trade_seen"),
        events.ready(cursor, "2013-10-09T13:30:00.000Z"),
        events.bye(cursor, "slow", 900),
    )

    read = _read(made)

    assert [event.event for event in read] == ["hello", "price", "ready", "bye"]
    assert [event.retry for event in read] == [700, None, None, 900]
    assert all("event_id" in json.loads(event.data) for event in read)


def test_the_cursor_stands_on_ready_and_heartbeat_only() -> None:
    cursor = EventId(1, 5)
    heartbeat = events.Heartbeat(
        event_id=str(cursor), server_time="", feed_state="live", session="regular", lag_ms=None
    )

    assert b"\nid: 1-5\n" in events.ready(cursor, "")
    assert b"\nid: 1-5\n" in events.heartbeat(cursor, heartbeat)
    assert b"\nid:" not in events.bye(cursor, "shutdown", 500)
    assert b"\nid:" not in events.no_price("price:SPY", "no_trade_seen")


def test_an_absent_price_is_older_than_any_published_one() -> None:
    [read] = _read([events.no_price("price:SPY", "redis_unavailable")])
    data = json.loads(read.data)

    assert EventId.parse(data["event_id"]) == NEVER
    assert (data["symbol"], data["price"], data["reason"]) == ("SPY", None, "redis_unavailable")
