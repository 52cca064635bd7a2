"""The size of a capture, as docs/operations.md states it."""

import gzip
from collections.abc import Iterator, Sequence
from itertools import count

import pytest

from ingest.capture.capture_file import LEVEL
from ingest.capture.record import Record, line_of
from ingest.capture.recorder import BLOCK_RECORDS
from simulator.protocol.wire import Format, Outgoing, join
from simulator.tape.recording import SHIPPED, read_tape
from tests.repository.documents import rows, section

MESSAGES = 20_000
ROWS = {1: "trades and quotes, each in its own frame", 20: "trades and quotes, 20 to a frame"}
START = 1_796_000_000_000_000_000


def lines(messages_in_a_frame: int) -> Iterator[bytes]:
    """Return the lines of the shipped tape's first messages, as an ingest would write them."""
    ids, tape = count(1), read_tape(SHIPPED).rows[:MESSAGES]
    for begin in range(0, MESSAGES, messages_in_a_frame):
        some = tape[begin : begin + messages_in_a_frame]
        sent = [
            Outgoing({**row.fields, "t": START + row.offset, "i": next(ids)}).encoded(
                Format.MSGPACK
            )
            for row in some
        ]
        yield line_of(
            Record(
                kind="received",
                at=START + some[-1].offset + 900_000,
                monotonic=81_234_567_890_123 + some[-1].offset,
                stream="stocks",
                connection=1,
                base64=join(sent, Format.MSGPACK),
            )
        )


def figures(text: str) -> Sequence[int]:
    return [int(cell.replace(",", "")) for cell in text.strip(" |").split(" | ")]


@pytest.mark.parametrize("messages_in_a_frame", ROWS)
def test_the_size_that_operations_tells_is_that_of_the_recorded_tape(
    messages_in_a_frame: int,
) -> None:
    written = list(lines(messages_in_a_frame))
    blocks = [
        gzip.compress(b"".join(written[begin : begin + BLOCK_RECORDS]), LEVEL)
        for begin in range(0, len(written), BLOCK_RECORDS)
    ]
    table = rows(section("operations.md", "Recording a day"), "messages")
    plain, packed = figures(table[ROWS[messages_in_a_frame]])

    assert sum(map(len, written)) / MESSAGES * 1000 == pytest.approx(plain, rel=0.05)
    assert sum(map(len, blocks)) / MESSAGES * 1000 == pytest.approx(packed, rel=0.1)
