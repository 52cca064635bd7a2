from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import rfc3339

SECOND = 1_000_000_000
nanoseconds = st.integers(0, 4_102_444_800 * SECOND)  # to the year 2100


@given(nanoseconds)
def test_no_nanosecond_is_lost_either_way(moment: int) -> None:
    assert rfc3339.to_nanoseconds(rfc3339.from_nanoseconds(moment)) == moment


@given(nanoseconds)
def test_the_text_says_the_same_as_pythons_datetime(moment: int) -> None:
    text = rfc3339.from_nanoseconds(moment // 1000 * 1000)

    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment // 1000)
    assert datetime.fromisoformat(text) == whole


@given(st.integers(0, 2 * SECOND), st.integers(0, 2 * SECOND))
def test_sortable_texts_are_in_the_order_of_their_times(one: int, other: int) -> None:
    texts = [rfc3339.sortable(rfc3339.from_nanoseconds(each)) for each in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone is added
    st.integers(-14 * 60, 14 * 60),
)
def test_offsets_are_taken_into_account(wall: datetime, minutes: int) -> None:
    moment = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000

    assert rfc3339.to_nanoseconds(moment.isoformat()) == expected


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (-62_135_596_800_000_000_000, "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_381_325_400_123_456_789, "2013-10-09T13:30:00.123456789Z"),
        (1_381_325_400_120_000_000, "2013-10-09T13:30:00.12Z"),
        (1_381_325_400_000_000_000, "2013-10-09T13:30:00Z"),
    ],
)
def test_trailing_zeros_are_dropped_as_alpaca_does(unix_ns: int, text: str) -> None:
    assert rfc3339.from_nanoseconds(unix_ns) == text


@pytest.mark.parametrize(
    "text",
    [
        "2013-10-09t13:30:00z",
        "2013-10-09T09:30:00-04:00",
        "2013-10-09T13:30:00.000000000Z",
        "2013-10-09T19:00:00+05:30",
    ],
)
def test_the_same_moment_in_other_spellings(text: str) -> None:
    assert rfc3339.to_nanoseconds(text) == 1_381_325_400 * SECOND


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2013-10-09",
        "2013-10-09T13:30:00",
        "2013-10-09 13:30:00Z",
        "2013-13-09T13:30:00Z",
        "2013-02-30T13:30:00Z",
        "2013-10-09T25:30:00Z",
        "2013-10-09T13:30:00.Z",
        "2013-10-09T13:30:00.1234567890Z",
        "2013-10-09T13:30:00Z\n",
        "2013-10-09T13:30:00+25:00",
        "2013-10-09T13:30:00+01:60",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        rfc3339.to_nanoseconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1_381_325_400.25, "2013-10-09T13:30:00.250Z")],
)
def test_our_own_clock_is_told_in_milliseconds(seconds: float, text: str) -> None:
    assert rfc3339.from_unix(seconds) == text


@pytest.mark.parametrize("second", [-62_135_596_801, 253_402_300_800, 2**63 - 1, -(2**63), 10**30])
def test_a_time_that_the_text_cannot_express_is_a_value_error(second: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339.from_nanoseconds(second * SECOND)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_offset_that_leads_out_of_the_years_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339.to_nanoseconds(text)


def test_digits_of_other_scripts_are_no_time() -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        rfc3339.to_nanoseconds("\u0662\u0660\u0662\u0666-11-16T15:00:00Z")


def test_the_error_of_a_long_text_is_short() -> None:
    with pytest.raises(ValueError, match="RFC 3339") as caught:
        rfc3339.to_nanoseconds("x" * 1_000_000)

    assert len(str(caught.value)) < 100
