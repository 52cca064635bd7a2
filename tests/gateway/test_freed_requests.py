"""A request that is over is freed at once: the collector searches old objects once in days."""

import gc
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.bus.subscriptions import StreamOpening
from gateway.fanout.hub import Hub
from gateway.http.server import StreamingProtocol
from gateway.http.stream_response import StreamResponse
from shared.bus.redis_source import RedisSource
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.peers import Peer, connected
from tests.services import until

HEAD = b"Host: localhost\r\n\r\n"
ANSWERED = b"GET /livez HTTP/1.1\r\n" + HEAD
STREAM = b"GET /api/stream?topics=price:SPY,trade:SPY HTTP/1.1\r\n" + HEAD
BODY = b'{"topics": ["price:SPY"]}'
POSTED = (
    b"POST /api/stream HTTP/1.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n%b%b" % (len(BODY), HEAD, BODY)
)


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[str, Hub]]:
    """A gateway in a process that collects no garbage."""
    async with gateway_with_hub(RedisSource("memory://")) as (url, hub):
        gc.collect()
        gc.disable()
        try:
            yield url, hub
        finally:
            gc.enable()


def _kept() -> list[object]:
    """Return what is left of requests and of their connections."""
    return [o for o in gc.get_objects() if isinstance(o, RequestResponseCycle | StreamingProtocol)]


async def _read_until(peer: Peer, end: bytes) -> None:
    await peer.reader.readuntil(end)


@pytest.mark.parametrize(
    ("sent", "end"),
    [
        (ANSWERED, b"}"),
        (STREAM, b"event: ready"),
        (STREAM.replace(b"HTTP/1.1", b"HTTP/1.0"), b"event: ready"),
        (POSTED, b"event: ready"),
        (STREAM + ANSWERED * 3, b"event: ready"),
        (ANSWERED + STREAM, b"event: ready"),
        (b"GET /openapi.json HTTP/1.1\r\n" + HEAD + STREAM, b"openapi"),
        (b"POST /api/stream HTTP/1.1\r\nContent-Length: 9\r\n" + HEAD, b""),
        (b"no HTTP\r\n\r\n", b"}"),
    ],
    ids=[
        "answered",
        "stream",
        "stream of HTTP/1.0",
        "stream with a body",
        "stream with more requests behind it",
        "stream behind another request",
        "left before the answer was read",
        "left before the body was sent",
        "rejected",
    ],
)
async def test_nothing_is_left_of_a_request_whose_client_has_gone(
    gateway: tuple[str, Hub], sent: bytes, end: bytes
) -> None:
    url, _ = gateway
    async with connected(url) as peer:
        await peer.send(sent)
        await _read_until(peer, end) if end else await until(lambda: bool(_kept()))

    await until(lambda: not _kept())


async def test_nothing_is_left_of_a_stream_that_the_gateway_has_ended(
    gateway: tuple[str, Hub],
) -> None:
    url, hub = gateway
    async with connected(url) as peer:
        await peer.send(STREAM)
        await _read_until(peer, b"event: ready")
        [client] = hub.clients.values()
        hub.end(client, "shutdown")
        del client
        await peer.rest()

    await until(lambda: not _kept())


async def test_a_stream_that_is_under_way_keeps_nothing_of_its_request(
    gateway: tuple[str, Hub],
) -> None:
    url, _ = gateway
    of_requests = Request | RequestResponseCycle | StreamResponse | StreamOpening
    async with connected(url) as peer:
        await peer.send(STREAM)
        await _read_until(peer, b"event: ready")
        await until(lambda: not [o for o in gc.get_objects() if isinstance(o, of_requests)])
