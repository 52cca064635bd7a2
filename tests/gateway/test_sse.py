import json
from collections.abc import Iterable

import httpx
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from sseclient import SSEClient

from gateway.wire import events, sse
from gateway.wire.event import Event
from gateway.wire.sse import SSE
from shared.event_id import NEVER, EventId
from tests.gateway.encoded import Sent, pieces_of, sizes, streams
from tests.gateway.encoded import events as events_sent

NO_PRICE = Event(NEVER, events.no_price("SPY", "no_trade_seen"), "price")


def _read(pieces: Iterable[bytes]) -> list[ServerSentEvent]:
    type_ = {"Content-Type": "text/event-stream"}
    return list(EventSource(httpx.Response(200, headers=type_, content=pieces)).iter_sse())


def test_the_exact_bytes_of_an_event() -> None:
    assert sse.event("price", b"{}") == b"event: price\ndata: {}\n\n"
    assert (
        sse.event("bye", b'{"a":1}', cursor=EventId(2, 9), retry_ms=750)
        == b'event: bye\nid: 2-9\nretry: 750\ndata: {"a":1}\n\n'
    )


def test_a_published_event_has_its_id_as_cursor_only_if_it_is_a_position() -> None:
    value = Event(EventId(1, 5), b"{}", "price")
    ordered = Event(EventId(1, 5), b"{}", "trade", is_position=True)

    assert value.frame(SSE) == sse.event("price", b"{}")
    assert ordered.frame(SSE) == sse.event("trade", b"{}", cursor=EventId(1, 5))


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
        invented=[],
        interval=0.25,
        resumed=False,
        event_id="0-0",
    )
    cursor = EventId(1, 5)
    made = (
        SSE.hello(hello, 700),
        NO_PRICE.frame(SSE),
        SSE.ready(cursor, events.Ready("1-5", "2013-10-09T13:30:00.000Z")),
        SSE.bye(events.Bye("1-5", "slow", 900)),
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

    assert b"\nid: 1-5\n" in SSE.ready(cursor, events.Ready("1-5", ""))
    assert b"\nid: 1-5\n" in SSE.heartbeat(cursor, heartbeat)
    assert b"\nid:" not in SSE.bye(events.Bye("1-5", "shutdown", 500))
    assert b"\nid:" not in NO_PRICE.frame(SSE)


def test_an_absent_price_is_older_than_any_published_one() -> None:
    data = json.loads(events.no_price("SPY", "redis_unavailable"))

    assert EventId.parse(data["event_id"]) == NEVER
    assert (data["symbol"], data["price"], data["reason"]) == ("SPY", None, "redis_unavailable")
