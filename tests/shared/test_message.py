import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import message
from shared.event_id import EventId
from shared.price import Price, encode

ids = st.builds(EventId, st.integers(0, 2**63), st.integers(0, 2**63))
texts = st.text(st.characters(exclude_categories=["Cs"]))
bodies = st.dictionaries(
    texts.filter(lambda name: name != "event_id"),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    min_size=1,
)


@given(ids, bodies)
def test_a_stamped_body_is_json_with_the_id_first_and_the_rest_unchanged(
    event_id: EventId, body: dict[str, object]
) -> None:
    stamped = json.loads(message.stamp(event_id, msgspec.json.encode(body)))

    assert next(iter(stamped)) == "event_id"
    assert stamped == {"event_id": str(event_id), **body}


@given(ids, bodies)
def test_a_message_comes_out_as_it_went_in(event_id: EventId, body: dict[str, object]) -> None:
    stamped = message.stamp(event_id, msgspec.json.encode(body))

    assert message.unpack(message.pack(event_id, stamped)) == (event_id, stamped, None)


@given(ids, bodies)
def test_a_message_is_two_lines_whatever_the_texts_hold(
    event_id: EventId, body: dict[str, object]
) -> None:
    packed = message.pack(event_id, message.stamp(event_id, msgspec.json.encode(body)))

    assert packed.count(b"\n") == 1
    assert b"\r" not in packed


def test_the_exact_bytes_of_a_message() -> None:
    stamped = message.stamp(EventId(3, 7), b'{"symbol":"SPY"}')

    assert message.pack(EventId(3, 7), stamped) == b'3-7\n{"event_id":"3-7","symbol":"SPY"}'


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"event_id":"1-2"}', b"\n{}", b"x\n{}", b"1\n{}"])
def test_what_is_no_message_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="is not"):
        message.unpack(wrong)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize(
    "wrong",
    [
        "1-2\n{}|",
        "1-2\n{}|data: {}",
        "1-2\n{}||event: bye|data: {}",
        "1-2\n|{}",
        "1-2 gap|\n{}",
        "1-2 gap|data: {}||event: bye\n{}",
        "1-2|data: {}||event: bye\n{}",
    ],
)
def test_lines_that_would_end_up_in_a_stream_are_refused(wrong: str, end: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        message.unpack(wrong.replace("|", end).encode())


@pytest.mark.parametrize("name", ["", " ", "gap ", "a b", "a:b", "\0", "gap\u2028", "1gap", "\xe9"])
def test_a_name_that_is_no_word_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not the name of an event|decode"):
        message.unpack(f"1-2 {name}\n{{}}".encode())


@given(ids, bodies, st.none() | st.just("gap"))
def test_an_entry_of_a_history_is_a_message(
    event_id: EventId, body: dict[str, object], name: str | None
) -> None:
    stamped = message.stamp(event_id, msgspec.json.encode(body))
    fields = {b"data": stamped} | ({} if name is None else {b"event": name.encode()})

    assert message.of_entry(str(event_id).encode(), fields) == (event_id, stamped, name)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"event": b"gap"},
        {b"data": b"{}\n\nevent: bye\ndata: {}"},
        {b"data": b"{}\rid: 9-9"},
        {b"data": b"{}", b"event": b"gap\rdata: {}"},
        {b"data": b"{}", b"event": b"gap\n{}"},
        {b"data": b"{}", b"event": b""},
    ],
)
def test_an_entry_that_would_be_no_message_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="is not"):
        message.of_entry(b"1-2", fields)


def test_an_entry_whose_id_no_ingest_gives_is_refused() -> None:
    with pytest.raises(ValueError, match="is not an event id"):
        message.of_entry(b"18446744073709551615-1", {b"data": b"{}"})


def test_a_price_tells_every_field_even_when_it_is_null() -> None:
    told = json.loads(encode(Price(symbol="SPY", reason="no_trade_seen")))

    # Only a delayed feed says that it is; the days of stocks are New York's, a pair names its own.
    assert [*told, "delayed", "day_zone"] == list(Price.__struct_fields__)
    assert told["price"] is None
    assert told["conditions"] == []
