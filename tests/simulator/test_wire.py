import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import rfc3339
from simulator.protocol.wire import Format, Outgoing, UndecodableError, decode, encode, join

NANOSECONDS = st.integers(min_value=0, max_value=4_102_444_800 * rfc3339.SECOND)
CHARACTERS = 'abc "\\\n\0é漢🦙'
VALUES = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(CHARACTERS, max_size=8),
    st.booleans(),
    st.lists(st.text(CHARACTERS, max_size=3), max_size=4),
)
MESSAGES = st.builds(
    lambda fields, time, kind: {**fields, "t": time, "T": kind},
    st.dictionaries(st.sampled_from(["S", "p", "s", "i", "x", "c", "z", "bp"]), VALUES),
    NANOSECONDS,
    st.sampled_from(["t", "q", "b"]),
)


@given(MESSAGES)
def test_msgpack_keeps_every_value_and_every_nanosecond(message: dict[str, Any]) -> None:
    [decoded] = msgpack.unpackb(join([encode(message, Format.MSGPACK)], Format.MSGPACK))
    time = decoded.pop("t")

    assert isinstance(time, msgpack.Timestamp)
    assert decoded | {"t": time.to_unix_nano()} == message
    assert next(iter(decoded)) == "T"


@given(MESSAGES)
def test_json_keeps_every_value_and_every_nanosecond(message: dict[str, Any]) -> None:
    [decoded] = json.loads(join([encode(message, Format.JSON)], Format.JSON))

    assert decoded | {"t": rfc3339.parse(decoded["t"])} == message
    assert next(iter(decoded)) == "T"


@given(st.lists(MESSAGES, max_size=40), st.sampled_from(Format))
def test_joined_messages_are_what_encoding_them_together_gives(
    messages: list[dict[str, Any]], form: Format
) -> None:
    joined = join([encode(message, form) for message in messages], form)
    one_by_one = [decode(join([encode(message, form)], form), form) for message in messages]

    assert decode(joined, form) == [array[0] for array in one_by_one if isinstance(array, list)]


@pytest.mark.parametrize("length", [0, 15, 16, 65_535, 65_536])
def test_the_array_header_has_the_length(length: int) -> None:
    assert msgpack.unpackb(join([b"\x01"] * length, Format.MSGPACK)) == [1] * length


def test_json_looks_as_in_the_documentation() -> None:
    # docs.alpaca.markets/docs/streaming-market-data: note h and v without a fraction
    bar = {"T": "b", "S": "FAKEPACA", "o": 132.65, "h": 136.0, "l": 132.12, "c": 134.65, "v": 205}
    bar |= {"t": rfc3339.parse("2024-07-24T07:56:00Z"), "n": 16, "vw": 133.7}

    assert encode(bar, Format.JSON) == (
        b'{"T":"b","S":"FAKEPACA","o":132.65,"h":136,"l":132.12,"c":134.65,"v":205,'
        b'"t":"2024-07-24T07:56:00Z","n":16,"vw":133.7}'
    )


@given(NANOSECONDS)
def test_times_survive_as_text(time: int) -> None:
    assert rfc3339.parse(rfc3339.render(time)) == time


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("2021-02-22T15:51:44.208Z", 1_614_009_104_208_000_000),
        ("2021-02-22T10:51:44.208-05:00", 1_614_009_104_208_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
    ],
)
def test_times_are_read_with_their_offset(text: str, nanoseconds: int) -> None:
    assert rfc3339.parse(text) == nanoseconds


def test_trailing_zeros_of_a_time_are_dropped() -> None:
    assert rfc3339.render(1_614_009_104_839_159_730).endswith(".83915973Z")


@pytest.mark.parametrize("text", ["", "now", "2021-02-30T00:00:00Z", "2021-02-22T15:51:44", "1"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rfc3339.parse(text)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("raw", [b"", b"\xc1", b"[[[[", b"\x81\x80\x01", b"\xd6\xff\x00"])
def test_garbage_is_undecodable(form: Format, raw: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(raw, form)


def test_deep_nesting_is_undecodable() -> None:
    with pytest.raises(UndecodableError):
        decode(b"[" * 100_000, Format.JSON)


def test_a_message_is_encoded_once_per_format() -> None:
    outgoing = Outgoing({"T": "t", "S": "SPY", "t": 1})

    assert outgoing.encoded(Format.JSON) is outgoing.encoded(Format.JSON)
    assert outgoing.encoded(Format.MSGPACK) is outgoing.encoded(Format.MSGPACK)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/msgpack", Format.MSGPACK),
        ("application/json", Format.JSON),
        ("", Format.JSON),
        ("text/html", Format.JSON),
    ],
)
def test_the_content_type_chooses_the_format(content_type: str, form: Format) -> None:
    assert Format.of_content_type(content_type) is form
