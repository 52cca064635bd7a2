"""Clients that do not read, vanish, come in crowds: others notice nothing, and nothing remains."""

import asyncio
import os
import random
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway import service as gateway_service
from gateway.bus import subscriptions
from gateway.fanout.hub import Hub
from gateway.fanout.sink import STALL_BYTES
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import IngestStub, ingest_stub
from tests.gateway.portable import Run, running_portably
from tests.limits import LIMIT_SECONDS
from tests.services import until

RESET = struct.pack("ii", 1, 0)


class RawClient:
    """A socket that has requested a stream and reads only on demand."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    async def read_until(self, wanted: bytes) -> bytes:
        """Read until something was sent."""
        loop, received = asyncio.get_running_loop(), b""
        async with asyncio.timeout(LIMIT_SECONDS):
            while wanted not in received:
                data = await loop.sock_recv(self.connection, 65536)
                assert data, f"ended before {wanted!r}"
                received += data
        return received

    async def read_to_the_end(self) -> bytes:
        """Read until the connection ends or is reset."""
        loop, received = asyncio.get_running_loop(), b""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                try:
                    data = await loop.sock_recv(self.connection, 65536)
                except ConnectionResetError:
                    return received
                if not data:
                    return received
                received += data

    def reset(self) -> None:
        """Vanish without a goodbye."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.close()


@asynccontextmanager
async def raw_client(url: str, **query: str) -> AsyncIterator[RawClient]:
    address = httpx.URL(url)
    asked = httpx.QueryParams(query)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(connection, (address.host, address.port))
        await loop.sock_sendall(
            connection,
            f"GET /api/stream/prices?{asked} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        )
        yield RawClient(connection)
    finally:
        connection.close()


async def _flood(ingest: IngestStub, last: int) -> None:
    for first in range(1, last, 500):
        await ingest.publish_many(range(first, min(first + 500, last + 1)))


def _ids(received: bytes) -> list[int]:
    mark = b'"event_id":"1-'
    return [int(part.partition(b'"')[0]) for part in received.split(mark)[1:]]


async def test_a_client_that_does_not_read_costs_others_nothing_and_stays_small(
    source: RedisSource,
) -> None:
    last = 20_000
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source) as (url, hub),
        raw_client(url, symbols="SPY", interval="0") as stuck,
        open_stream(url, symbols="SPY", interval="0") as other,
    ):
        await other.until_kind("ready")
        await until(lambda: len(hub.clients) == 2)
        await _flood(ingest, last)
        await other.until(lambda s: s.of("price")[-1]["event_id"] == f"1-{last}")
        assert [price["event_id"] for price in other.of("price")[1:]] == [
            f"1-{seq}" for seq in range(1, last + 1)
        ]

        [client] = hub.flusher.stalled
        assert client.cohort is not None
        assert client.cohort.unsent(client) == []
        assert client.sink.buffered() < 4 * STALL_BYTES

        received = await stuck.read_until(b'"event_id":"1-%d"' % last)
        prices = [seq for seq in _ids(received) if seq]
        assert prices == sorted(set(prices))
        assert prices[-1] == last
        assert len(prices) < last / 2
        await until(lambda: not hub.flusher.stalled)


async def test_a_client_that_never_reads_is_cut_with_a_reset(source: RedisSource) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source, slow_client_seconds=0.2) as (url, hub),
        raw_client(url, symbols="SPY", interval="0") as stuck,
        open_stream(url, symbols="SPY", interval="0") as other,
    ):
        await other.until_kind("ready")
        await until(lambda: len(hub.clients) == 2)
        await _flood(ingest, 10_000)
        await until(lambda: len(hub.clients) == 1)

        received = await stuck.read_to_the_end()
        assert not received.endswith(b"0\r\n\r\n")
        assert not hub.flusher.stalled
        await ingest.publish(10_001)
        await other.until(lambda s: s.of("price")[-1]["event_id"] == "1-10001")


async def test_a_client_that_takes_nothing_is_dropped_by_the_kernel_at_last(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has vanished acknowledges nothing, and ends the same way."""
    monkeypatch.setattr(gateway_service, "KERNEL_PATIENCE_SECONDS", 1.0 - 600)
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source, slow_client_seconds=600) as (url, hub),
        raw_client(url, symbols="SPY", interval="0") as stuck,
    ):
        await stuck.read_until(b"event: ready")
        await _flood(ingest, 10_000)
        # On a busy machine the kernel's patience may end during the flood.
        await until(lambda: not hub.clients)


@pytest.mark.slow
async def test_on_another_server_a_client_that_never_reads_is_let_go_too(
    source: RedisSource,
) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source, running_portably, slow_client_seconds=0.2) as (url, hub),
        raw_client(url, symbols="SPY", interval="0") as stuck,
        open_stream(url, symbols="SPY", interval="0") as other,
    ):
        await other.until_kind("ready")
        await until(lambda: len(hub.clients) == 2)
        for first in range(1, 60_000, 2_000):
            await ingest.publish_many(range(first, first + 2_000))
        await until(lambda: len(hub.clients) == 1)
        await ingest.publish(60_001)
        await other.until(lambda s: s.of("price")[-1]["event_id"] == "1-60001")
        assert not hub.flusher.stalled

        received = await stuck.read_to_the_end()  # its request has ended, and not properly
        assert not received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("when", ["before ready", "after ready"])
async def test_a_client_that_vanishes_is_forgotten(source: RedisSource, when: str) -> None:
    async with gateway_with_hub(source) as (url, hub):
        async with raw_client(url, symbols="SPY") as client:
            await client.read_until(b"event: hello" if when == "before ready" else b"event: ready")
            client.reset()
        await until(lambda: not hub.clients)
        assert all(not channel.lanes for channel in hub.channels.values())
        await until(lambda: not any(channel.watchers for channel in hub.channels.values()))


async def test_a_client_that_vanishes_while_redis_is_away_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", 600.0)
    source = RedisSource("redis://127.0.0.1:1")
    async with gateway_with_hub(source) as (url, hub):
        async with raw_client(url, symbols="SPY") as client:
            await client.read_until(b"event: hello")
            client.reset()
        await until(lambda: not hub.clients)


async def _come_and_go(url: str, dice: random.Random, symbols: list[str]) -> None:
    for _ in range(2):
        query = {
            "symbols": ",".join(dice.sample(symbols, dice.randint(1, 3))),
            "interval": dice.choice(["0", "0.1", "0.25"]),
        }
        async with raw_client(url, **query) as client:
            if dice.random() < 0.8:
                received = await client.read_until(b"event: ready")
                assert received.startswith(b"HTTP/1.1 200")
            await asyncio.sleep(dice.random() / 2)
            if dice.random() < 0.5:
                client.reset()


async def test_a_client_that_vanishes_while_its_ticket_is_looked_up_is_forgotten(
    valkey: ValkeyServer, run: Run
) -> None:
    source, token = RedisSource(valkey.url), {"Authorization": "Bearer right-one"}
    async with (
        gateway_with_hub(source, run, api_token="right-one") as (url, hub),
        httpx.AsyncClient(base_url=url, headers=token) as client,
        source.client("test") as redis,
    ):
        ticket = (await client.post("/api/stream/ticket")).json()["ticket"]
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            async with raw_client(url, symbols="SPY", ticket=ticket) as leaving:
                await client.get("/healthz")  # which is read after the other
                leaving.reset()
            await client.get("/healthz")
        finally:
            os.kill(valkey.pid, signal.SIGCONT)

        async def used() -> bool:
            return not [key async for key in redis.scan_iter(match="ticket:*")]

        await until(used)
        async with open_stream(url, symbols="SPY", headers=token) as stream:
            await stream.until_kind("ready")
            assert len(hub.clients) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transport", "portable"])
async def test_a_crowd_that_comes_and_goes_leaves_nothing(source: RedisSource, kind: str) -> None:
    symbols = ["SPY", "IBM", "AIG", "BAC"]
    run: dict[str, Any] = {"transport": {}, "portable": {"run": running_portably}}
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source, **run[kind]) as (url, hub),
        asyncio.TaskGroup() as tasks,
    ):
        crowd = [
            tasks.create_task(_come_and_go(url, random.Random(seed), symbols))  # noqa: S311
            for seed in range(300)
        ]
        seq = 0
        while not all(task.done() for task in crowd):
            seq += 1
            await ingest.publish(seq, symbols[seq % 4])
        await until(lambda: _is_empty(hub))


def _is_empty(hub: Hub) -> bool:
    channels = hub.channels.values()
    return not (
        hub.clients
        or hub.flusher.stalled
        or any(channel.lanes or channel.watchers for channel in channels)
    )
