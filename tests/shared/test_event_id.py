import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_id import NEVER, EventId

ids = st.builds(EventId, st.integers(0, 2**63), st.integers(0, 2**63))


@given(ids)
def test_an_id_survives_being_written_as_text_and_as_bytes(event_id: EventId) -> None:
    assert EventId.parse(str(event_id)) == event_id
    assert EventId.parse(str(event_id).encode()) == event_id


@given(ids, ids)
def test_the_epoch_decides_before_the_count(one: EventId, other: EventId) -> None:
    if one.epoch != other.epoch:
        assert (one < other) == (one.epoch < other.epoch)
    else:
        assert (one < other) == (one.seq < other.seq)


def test_numbers_are_compared_as_numbers_not_as_text() -> None:
    assert EventId.parse("1-9") < EventId.parse("1-10") < EventId.parse("2-1") < EventId(10, 1)


def test_every_published_id_is_newer_than_never() -> None:
    assert EventId(1, 1) > NEVER
    assert str(NEVER) == "0-0"


@given(ids)
def test_an_id_needs_no_cors_preflight(event_id: EventId) -> None:
    assert set(str(event_id)) <= set("0123456789-")
    assert len(str(event_id)) <= 128


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "a-b",
        "1.5-2",
        " 1-2",
        "1-2\n",
        "+1-2",
        "\u0661-\u0662",
        "²-1",
        "1" * 20 + "-1",
        "1-" + "1" * 20,
        "1" * 5000 + "-1",
    ],
)
def test_any_other_form_is_refused_by_its_value(text: str) -> None:
    with pytest.raises(ValueError, match="is not an event id: expected <epoch>-<seq>"):
        EventId.parse(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="decode"):
        EventId.parse(b"\xff-1")
