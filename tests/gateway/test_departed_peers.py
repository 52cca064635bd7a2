"""A peer that has left is no error, whatever it had asked for and not read."""

import asyncio
import logging
import socket
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
import uvloop
from structlog.testing import capture_logs

from gateway.http.limits import PIPELINED
from shared.bus.redis_source import RedisSource
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.peers import connected
from tests.services import running_gateway, until

GET = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def _unread(url: str) -> socket.socket:
    """Ask for large answers, and read none of them."""
    address = httpx.URL(url)
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, (address.host, address.port))
    await loop.sock_sendall(peer, GET * PIPELINED)
    return peer


def test_a_peer_that_leaves_without_reading_its_answers_is_noted_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    # The loop of the program: others ignore a write to a closed transport.
    logged = uvloop.run(_leave_unread())

    left = [line for line in logged if line["event"] == "client_left"]
    assert [line["path"] for line in left] == ["/openapi.json"] * 3
    assert {line["log_level"] for line in left} == {"debug"}
    assert caplog.records == []


async def _leave_unread() -> list[MutableMapping[str, Any]]:
    async with running_gateway(RedisSource("memory://")) as url:
        with capture_logs() as logged:
            peers = [await _unread(url) for _ in range(3)]
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/openapi.json")).status_code == 200
            for peer in peers:
                peer.close()
            await until(lambda: [line["event"] for line in logged].count("client_left") == 3)
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/readyz")).status_code == 200
    return logged


async def test_the_end_of_a_stream_is_no_request_that_was_left() -> None:
    async with gateway_with_hub(RedisSource("memory://")) as (url, hub):
        with capture_logs() as logged:
            async with connected(url) as peer:
                await peer.send(
                    b"GET /api/stream/prices?symbols=SPY HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                await peer.reader.readuntil(b"event: ready")
            await until(lambda: not hub.clients)

    assert [line for line in logged if line["event"] == "client_left"] == []
