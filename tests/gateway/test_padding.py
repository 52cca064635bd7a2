"""Padding on request, for proxies and virus scanners that pass nothing small."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.wire.sse import SSE, encoder_of
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.raw_stream import raw_stream
from tests.services import running_gateway
from tests.tcp_server import closing, tcp_server

BLOCK = 4096


@asynccontextmanager
async def passing_blocks(url: str) -> AsyncIterator[str]:
    """Stand before a gateway and pass on nothing of its answers but whole blocks; yield a URL."""
    address = httpx.URL(url)

    async def serve(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        async with closing(writer):
            writer.write(await client.readuntil(b"\r\n\r\n"))
            while True:
                answers.write(await reader.readexactly(BLOCK))

    async with tcp_server(serve) as port:
        yield f"http://127.0.0.1:{port}"


async def test_a_quiet_symbol_passes_a_proxy_of_blocks_if_padding_is_requested(
    source: RedisSource,
) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source, heartbeat_seconds=0.2) as url,
        passing_blocks(url) as proxy,
    ):
        await ingest.store(5, "SPY")
        async with open_stream(proxy, symbols="SPY", padding=BLOCK) as stream:
            await stream.until_kind("ready")
            await ingest.publish(6)
            await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-6")

    kinds = [event.kind for event in stream.events]
    assert kinds[:2] == ["hello", "price"]
    assert {"ready", "heartbeat"} <= set(kinds)


@pytest.mark.parametrize(("asked", "size"), [(1, 2048), (2048, 2048), (2049, 4096), (4096, 4096)])
async def test_a_comment_follows_hello_and_ready_alone_of_a_snapshot(asked: int, size: int) -> None:
    comment = b"\n\n:" + b" " * size + b"\n"
    async with (
        running_gateway(RedisSource("memory://")) as url,
        raw_stream(url, symbols="SPY", padding=str(asked)) as stream,
    ):
        await stream.until(b"event: ready")
        await stream.until(b" \n", after=stream.body.index(b"event: ready"))

    assert stream.body.count(comment) == 2
    hello, _, rest = stream.body.partition(comment)
    assert hello.startswith(b"event: hello\n")
    assert rest.endswith(comment)


def test_without_padding_no_byte_is_added() -> None:
    assert encoder_of(0) is SSE


@pytest.mark.parametrize("padding", ["-1", "4097", "x"])
async def test_another_padding_is_rejected(padding: str) -> None:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        path = f"/api/stream/prices?symbols=SPY&padding={padding}"
        error = (await client.get(path)).json()["error"]

    assert error["code"] == "bad_value"
    assert error["message"].startswith("padding=")
