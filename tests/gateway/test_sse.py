import json

import msgspec
from httpx_sse import ServerSentEvent
from httpx_sse._decoders import SSEDecoder
from hypothesis import given
from hypothesis import strategies as st
from sseclient import SSEClient

from gateway import events, sse
from shared.event_id import NEVER, EventId

kinds = st.sampled_from(["price", "bar.1Min", "hello", "heartbeat", "bye"])
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.dictionaries(texts, st.none() | texts | st.integers(-(2**53), 2**53))
cursors = st.none() | st.builds(EventId, st.integers(0, 2**53), st.integers(0, 2**53))
retries = st.none() | st.integers(0, 60_000)


def _read(stream: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    lines = stream.decode().split("\n")[:-1]
    return [event for line in lines if (event := decoder.decode(line)) is not None]


def test_the_exact_bytes_of_an_event() -> None:
    assert sse.event("price", b"{}") == b"event: price\ndata: {}\n\n"
    assert (
        sse.event("bye", b'{"a":1}', cursor=EventId(2, 9), retry_ms=750)
        == b'event: bye\nid: 2-9\nretry: 750\ndata: {"a":1}\n\n'
    )


def test_a_head_and_json_make_the_same_bytes_as_an_event() -> None:
    assert sse.head_of("price") + b"{}\n\n" == sse.event("price", b"{}")


@given(kinds, values, cursors, retries)
def test_httpx_sse_reads_what_was_meant(
    kind: str, value: dict[str, object], cursor: EventId | None, retry_ms: int | None
) -> None:
    [read] = _read(sse.event(kind, msgspec.json.encode(value), cursor=cursor, retry_ms=retry_ms))

    assert (read.event, json.loads(read.data)) == (kind, value)
    assert read.id == ("" if cursor is None else str(cursor))
    assert read.retry == retry_ms


@given(st.lists(st.tuples(kinds, values, cursors), min_size=1, max_size=5), st.integers(1, 40))
def test_sseclient_reads_what_was_meant_however_it_is_cut(
    sent: list[tuple[str, dict[str, object], EventId | None]], size: int
) -> None:
    stream = b"".join(sse.event(k, msgspec.json.encode(v), cursor=c) for k, v, c in sent)
    pieces = (stream[at : at + size] for at in range(0, len(stream), size))

    read = list(SSEClient(pieces).events())

    assert [(event.event, json.loads(event.data)) for event in read] == [
        (kind, value) for kind, value, _ in sent
    ]


@given(kinds, values, cursors, retries)
def test_an_event_has_no_byte_that_breaks_a_client(
    kind: str, value: dict[str, object], cursor: EventId | None, retry_ms: int | None
) -> None:
    data = sse.event(kind, msgspec.json.encode(value), cursor=cursor, retry_ms=retry_ms)

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
        events.hello(hello),
        events.no_price("price:SPY", "no_trade_seen"),
        events.ready(cursor, "2013-10-09T13:30:00.000Z"),
        events.bye(cursor, "slow", 900),
    )

    read = _read(b"".join(made))

    assert [event.event for event in read] == ["hello", "price", "ready", "bye"]
    assert [event.retry for event in read] == [None, None, None, 900]
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
    [read] = _read(events.no_price("price:SPY", "redis_unavailable"))
    data = json.loads(read.data)

    assert EventId.parse(data["event_id"]) == NEVER
    assert (data["symbol"], data["price"], data["reason"]) == ("SPY", None, "redis_unavailable")
