"""A crowd that comes at the same moment is served in turn, however few connections Redis has."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest

from shared.bus.redis_source import COMMAND_CONNECTIONS, RedisSource
from tests.gateway.peers import Peer, connected
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway

CROWD = 1_000
TOKEN = "a-token-of-length"


async def _at_once(url: str, heads: list[str], until: bytes) -> list[bytes]:
    """Send all requests at once, each on a separate connection; return the answers up to a mark.

    An answer that ends without the mark is returned as it is.
    """
    async with AsyncExitStack() as stack:
        peers: list[Peer] = [await stack.enter_async_context(connected(url)) for _ in heads]
        for peer, head in zip(peers, heads, strict=True):
            peer.writer.write(f"{head}Host: {httpx.URL(url).netloc.decode()}\r\n\r\n".encode())
        async with asyncio.timeout(LIMIT_SECONDS):
            return await asyncio.gather(*(_read(peer, until) for peer in peers))


async def _read(peer: Peer, until: bytes) -> bytes:
    try:
        return await peer.reader.readuntil(until)
    except asyncio.IncompleteReadError as ended:
        return ended.partial


@pytest.mark.slow
async def test_a_thousand_tickets_streams_and_requests_at_once_are_all_served(
    source: RedisSource,
) -> None:
    assert CROWD > 10 * COMMAND_CONNECTIONS
    token = f"Authorization: Bearer {TOKEN}\r\n"
    async with running_gateway(source, api_token=TOKEN) as url:
        post = f"POST /api/stream/ticket HTTP/1.1\r\nContent-Length: 0\r\n{token}"
        issued = await _at_once(url, [post] * CROWD, b"}")
        assert Counter(map(_status, issued)) == {b"201": CROWD}

        tickets = [json.loads(each.rpartition(b"\r\n")[2])["ticket"] for each in issued]
        opened = [f"GET /api/stream/prices?symbols=SPY&ticket={t} HTTP/1.1\r\n" for t in tickets]
        streams = await _at_once(url, opened, b"event: ready")
        assert Counter(map(_status, streams)) == {b"200": CROWD}
        assert sum(b"event: hello" in each for each in streams) == CROWD

        once = f"GET /api/prices?symbols=SPY HTTP/1.1\r\n{token}"
        values = await _at_once(url, [once] * CROWD, b"}}")
        assert Counter(map(_status, values)) == {b"200": CROWD}


def _status(answer: bytes) -> bytes:
    return answer[9:12]
