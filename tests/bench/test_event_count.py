from hypothesis import given
from hypothesis import strategies as st

from bench.fanout.event_count import EventCount

EVENT = b"event: price\ndata: {}\n\n"


def _answer(events: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n\r\n" + b"%x\r\n%b\r\n" % (len(EVENT), EVENT) * events


@given(st.integers(0, 9), st.lists(st.integers(1, 40)))
def test_events_are_counted_wherever_the_reads_cut_them(events: int, sizes: list[int]) -> None:
    stream, count, found = _answer(events), EventCount(8), 0

    for size in [*sizes, len(stream) + 1]:
        read, stream = bytearray(stream[:size]), stream[size:]
        if read:
            found += count.take(5, read, len(read))

    assert found == events


def test_what_is_left_in_the_buffer_from_an_earlier_read_is_not_counted() -> None:
    buffer = bytearray(EVENT + EVENT)

    assert EventCount(8).take(5, buffer, len(EVENT)) == 1


def test_connections_are_counted_apart() -> None:
    count = EventCount(8)

    assert count.take(5, bytearray(b"data: {}\n"), 9) == 0
    assert count.take(6, bytearray(b"\ndata: {}\n"), 10) == 0
    assert count.take(5, bytearray(b"\n"), 1) == 1
