import pytest

from gateway.wire.stream_id import StreamId


@pytest.mark.parametrize("gateway_id", ["host-12-a1b2c3", "a-0123456789ab", "x"])
def test_what_is_written_is_read_back(gateway_id: str) -> None:
    made = StreamId(gateway_id, "0123456789abcdef01234567")

    assert StreamId.parse(str(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "prices",
        "-0123456789abcdef01234567",
        "a-0123456789ABCDEF01234567",
        "a-0123456789abcdef012345678",
        "a-0123456789ab",
    ],
)
def test_what_is_no_id_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a stream's id"):
        StreamId.parse(text)
