"""Visitors of a gateway that rejects them count that, and go on coming."""

import asyncio
import random

import pytest

from bench.visitors import Visitors
from tests.limits import LIMIT_SECONDS
from tests.services import until

BUSY = b'event: bye\ndata: {"reason":"busy"}\n\n'


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"error":{}}', {"POST 503", "GET 503"}),
        (b"HTTP/1.1 200 OK\r\n\r\n" + BUSY, {"GET 200", "GET bye"}),
    ],
)
async def test_a_rejection_is_counted_and_ends_no_run(answer: bytes, counted: set[str]) -> None:
    async def reject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reject, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        visitors = Visitors([port], "token", random.Random(1))  # noqa: S311 - topics, no secret
        if "GET bye" in counted:
            visitors._ask = _ticket  # type: ignore[method-assign, assignment]
        coming = asyncio.create_task(visitors.come(200))
        await until(lambda: counted <= set(visitors.visits.answers))
        coming.cancel()
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.wait([coming])

    assert coming.cancelled()
    assert visitors.visits.failure_share > 0


async def _ticket(*_: object) -> dict[str, str]:
    return {"ticket": "t"}
