"""Streams and answers for HTTP/1.0, and for clients that ask for the connection's end."""

import asyncio
import json

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from tests.gateway.portable import Run
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway

PRICES = "/api/stream/prices?symbols=SPY"
CLOSE = "Connection: close\r\n"


async def read_until(url: str, request: str, wanted: bytes) -> tuple[list[str], bytes]:
    """Send a request; return the lines of the answer's head, and its body so far."""
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(request.encode())
    async with asyncio.timeout(LIMIT_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(wanted) if wanted else await reader.read()
    writer.close()
    return head.decode().lower().split("\r\n"), body


def connections(head: list[str]) -> list[str]:
    return [line for line in head if line.startswith("connection:")]


async def test_a_stream_of_http_1_0_has_no_chunks_and_ends_with_its_connection(
    any_source: RedisSource, run: Run
) -> None:
    async with run(any_source) as url:
        head, body = await read_until(url, f"GET {PRICES} HTTP/1.0\r\n\r\n", b"event: ready")

    assert body.startswith(b"event: hello\nretry: ")
    assert not [line for line in head if line.startswith("transfer-encoding:")]
    assert connections(head) == ["connection: close"]


async def test_a_stream_of_http_1_0_ends_whole() -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(f"GET {PRICES} HTTP/1.0\r\n\r\n".encode())
        async with asyncio.timeout(LIMIT_SECONDS):
            await reader.readuntil(b"event: ready")
    async with asyncio.timeout(LIMIT_SECONDS):
        rest = await reader.read()
    writer.close()

    assert b"event: bye\n" in rest
    assert rest.endswith(b"}\n\n")


@pytest.mark.parametrize(
    ("version", "header"), [("1.0", ""), ("1.0", "Connection: keep-alive\r\n"), ("1.1", CLOSE)]
)
@pytest.mark.parametrize("path", [PRICES, "/api/prices?symbols=SPY", "/nowhere"])
async def test_an_answer_that_ends_the_connection_says_so_once(
    run: Run, version: str, header: str, path: str
) -> None:
    async with run(RedisSource("memory://")) as url:
        request = f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{header}\r\n"
        head, _ = await read_until(url, request, b"event: ready" if path == PRICES else b"")

    assert connections(head) == ["connection: close"]


async def test_a_stream_of_http_1_1_is_chunked_and_promises_nothing_about_the_connection(
    run: Run,
) -> None:
    async with run(RedisSource("memory://")) as url:
        head, _ = await read_until(
            url, f"GET {PRICES} HTTP/1.1\r\nHost: localhost\r\n\r\n", b"ready"
        )

    assert "transfer-encoding: chunked" in head
    assert connections(head) == []


async def test_an_answer_to_http_1_0_states_its_length() -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        head, body = await read_until(url, "GET /healthz HTTP/1.0\r\n\r\n", b"")

    assert f"content-length: {len(body)}" in head
    assert json.loads(body) == {"alive": True}


async def test_a_stream_continues_if_its_client_has_pipelined_another_request() -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        request = "".join(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in (PRICES, "/healthz")
        )
        head, body = await read_until(url, request, b"event: ready")

    assert "transfer-encoding: chunked" in head
    assert b"event: hello" in body
