"""The encoder's output, parsed by ``eventsource-parser``, which reports irregularities."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from hypothesis import given
from hypothesis import strategies as st

from shared import message
from shared.event_id import NEVER
from tests.examples import examples
from tests.foreign.conftest import JAVASCRIPT
from tests.gateway.encoded import Sent, pieces_of, sizes, streams
from tests.gateway.fakes import Bench

bits = st.sampled_from(
    [
        *(
            b"\n",
            b"\r",
            b"\n\n",
            b" ",
            b":",
            b"{}",
            b"\x00",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
        ),
        *(b"1-5\n", b"gap", b"event: bye", b"data: {}", b"id: 9-9", b"retry: 1"),
    ]
)
payloads = st.binary(max_size=20) | st.builds(
    lambda first, more: first + b"".join(more),
    st.sampled_from([b"", b"1-5\n", b"1-5\n{}", b"1-5 gap\n", b"1-5 "]),
    st.lists(bits, max_size=8),
)


@contextmanager
def parser(node: str) -> Iterator[Callable[[list[bytes]], dict[str, list[object]]]]:
    """Run the parser; yield a function that parses a stream from its pieces, many times."""
    with subprocess.Popen(
        [node, "parse.mjs"], cwd=JAVASCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, found = process.stdin, process.stdout

        def read(pieces: list[bytes]) -> dict[str, list[object]]:
            texts = [base64.b64encode(piece).decode() for piece in pieces]
            asked.write(json.dumps(texts).encode() + b"\n")
            asked.flush()
            answer: dict[str, list[object]] = json.loads(found.readline())
            return answer

        yield read
        asked.close()


def test_it_reads_what_was_meant_and_finds_no_error(node: str) -> None:
    with parser(node) as read:

        @given(streams, sizes)
        def check(sent: list[Sent], size: int) -> None:
            found = read(pieces_of(sent, size))

            for event in found["events"]:
                assert isinstance(event, list)
                event[2] = json.loads(event[2])
            assert found == {
                "events": [[each.kind, each.id or None, each.value] for each in sent],
                "retries": [each.retry_ms for each in sent if each.retry_ms is not None],
                "errors": [],
                "comments": [],
            }

        check()


async def test_whatever_is_published_is_one_event_or_none(node: str) -> None:
    with parser(node) as read:

        @examples(times=5)
        @given(payloads)
        def check(payload: bytes) -> None:
            bench = Bench()
            _, sink = bench.client("SPY")
            sink.writes.clear()
            expected = []
            with suppress(ValueError):
                bench.hub.publish(b"price:SPY", payload)
                event_id, body, name = message.unpack(payload)
                if event_id > NEVER:
                    expected.append([name or "price", None, body.decode(errors="replace")])
            bench.loop.advance()
            found = read(sink.writes)

            assert found == {"events": expected, "retries": [], "errors": [], "comments": []}

        check()
