"""Requests that concern another gateway while that gateway is not subscribed in Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from gateway.bus import inbox
from gateway.bus.gateway_report import GatewayReport
from gateway.bus.malformed import MalformedData
from gateway.bus.reports import Reports
from gateway.wire.stream_id import StreamId
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import EventStream, open_stream
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until

USER = "owner"
TOKEN = {"Authorization": "Bearer one"}
OPERATOR = {"Authorization": "Bearer root"}
TOKENS = "one market,root admin"


def id_of(stream: EventStream) -> str:
    found: str = stream.of("hello")[0]["stream_id"]
    return found


async def acl(client: Redis, *rules: str) -> None:
    """Change the rights of the owner's Redis user."""
    await client.execute_command("ACL", "SETUSER", USER, *rules)  # type: ignore[no-untyped-call]


class Owner:
    """The gateway with the stream, whose Redis user may be barred from every channel."""

    def __init__(self, url: str, client: Redis) -> None:
        self.url = url
        self._client = client

    async def bar(self) -> None:
        """End its subscription; each attempt to subscribe again fails."""
        # Redis closes the connections of subscribers that lose a channel.
        await acl(self._client, "resetchannels")
        await until(self._is_deaf)

    async def admit(self) -> None:
        """Let it subscribe again."""
        await acl(self._client, "allchannels")

    async def _is_deaf(self) -> bool:
        subscribed = await self._client.pubsub_channels("gateway:*")
        return len(subscribed) == 1  # the other gateway's


@asynccontextmanager
async def owner_and_other(valkey: ValkeyServer) -> AsyncIterator[tuple[Owner, str, Redis]]:
    source = RedisSource(valkey.url)
    async with source.client("test") as client:
        await acl(client, "on", ">word", "allkeys", "allchannels", "+@all")
        barred = RedisSource(valkey.url.replace("redis://", f"redis://{USER}:word@"))
        async with (
            running_gateway(barred, api_token=TOKENS) as owner,
            running_gateway(source, api_token=TOKENS) as other,
        ):
            await until(lambda: _reports(client, 2))
            yield Owner(owner, client), other, client
            # So that it ends as it does with Redis well.
            await acl(client, "allchannels")


async def _reports(client: Redis, number: int) -> bool:
    found: Any = await client.keys(KEYSPACE.gateway("*"))
    return bool(sum(key.count(b":") == 1 for key in found) == number)


async def publications(client: Redis) -> int:
    """Return how many messages have been published so far."""
    commands: Any = await client.info("commandstats")
    return int(commands.get("cmdstat_publish", {}).get("calls", 0))


async def change(url: str, stream: EventStream) -> httpx.Response:
    async with httpx.AsyncClient(headers=TOKEN) as client:
        path = f"{url}/api/stream/{id_of(stream)}"
        return await client.patch(path, json={"add": ["price:IBM"]})


async def test_a_change_waits_until_the_gateway_of_the_stream_listens_again(
    valkey: ValkeyServer,
) -> None:
    async with (
        owner_and_other(valkey) as (owner, other, client),
        open_stream(owner.url, symbols="SPY", headers=TOKEN) as stream,
    ):
        await stream.until_kind("ready")
        await owner.bar()
        before = await publications(client)
        asking = asyncio.create_task(change(other, stream))

        async def asked() -> bool:
            return await publications(client) > before

        await until(asked)
        await owner.admit()
        answer = await asking

    assert (answer.status_code, answer.json()["topics"]) == (
        200,
        ["price:SPY", "status:SPY", "price:IBM"],
    )


@pytest.mark.parametrize("emptied", [False, True], ids=["Redis is well", "Redis was emptied"])
async def test_a_stream_of_a_gateway_that_does_not_listen_is_never_called_unknown(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    monkeypatch.setattr(inbox, "LISTENER_SECONDS", 0.1)
    async with (
        owner_and_other(valkey) as (owner, other, client),
        open_stream(owner.url, symbols="SPY", headers=TOKEN) as stream,
    ):
        await stream.until_kind("ready")
        await owner.bar()
        if emptied:
            await client.flushall()
        answer = await change(other, stream)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "redis_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert StreamId.parse(id_of(stream)).gateway_id in error["message"]


async def test_streams_of_a_gateway_that_does_not_listen_are_not_reported_as_ended(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "LISTENER_SECONDS", 0.1)
    async with (
        owner_and_other(valkey) as (owner, other, _),
        open_stream(owner.url, symbols="SPY", headers=TOKEN) as stream,
        httpx.AsyncClient(headers=OPERATOR) as operator,
    ):
        await stream.until_kind("ready")
        path = f"{other}/api/tokens/{sha256(b'one').hexdigest()[:12]}/streams"
        await owner.bar()
        silent = await operator.delete(path)
        assert not stream.ended
        await owner.admit()

        async def confirmed() -> bool:
            return (await operator.delete(path)).status_code == 200

        await until(confirmed)
        await stream.until(lambda s: s.ended)

    assert silent.status_code == 503
    assert StreamId.parse(id_of(stream)).gateway_id in silent.json()["error"]["message"]


async def test_a_gateway_that_ends_in_order_is_known_to_have_ended_at_once(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client, running_gateway(any_source) as url:
        async with (
            running_gateway(any_source) as ending,
            open_stream(ending, symbols="SPY") as stream,
        ):
            await stream.until_kind("ready")
            await until(lambda: _reports(client, 2))
        gone = await change(url, stream)

    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_stream")


def report(gateway_id: str) -> GatewayReport:
    return GatewayReport(
        gateway_id=gateway_id,
        clients=0,
        topics=0,
        stalled=0,
        refused=0,
        busy=0,
        lag_ms=None,
        started="",
    )


class TestReports:
    """Whether a missing report proves that its gateway has ended."""

    async def test_only_beside_ones_own_a_missing_report_proves_an_end(
        self, any_source: RedisSource
    ) -> None:
        async with any_source.client("test") as client:
            mine, its = (Reports(client, KEYSPACE, MalformedData()) for _ in range(2))
            assert not await mine.has_ended("b")
            await mine.store(report("a"))
            assert await mine.has_ended("b")
            await its.store(report("b"))
            assert not await mine.has_ended("b")
            await client.flushall()
            assert not await mine.has_ended("b")

    async def test_after_a_loss_it_proves_an_end_once_every_gateway_had_time_to_report(
        self, any_source: RedisSource
    ) -> None:
        now = 100.0
        async with any_source.client("test") as client:
            mine = Reports(client, KEYSPACE, MalformedData(), lambda: now)
            await mine.store(report("a"))
            await client.flushall()
            await mine.store(report("a"))
            at_once = (mine.may_lack_some, await mine.has_ended("b"))
            now += keys.GATEWAY_SECONDS
            later = (mine.may_lack_some, await mine.has_ended("b"))

        assert at_once == (True, False)
        assert later == (False, True)

    async def test_a_report_that_may_have_been_stored_after_a_loss_proves_nothing(
        self, valkey: ValkeyServer
    ) -> None:
        async with RedisSource(valkey.url).client("test") as client:
            mine = Reports(client, KEYSPACE, MalformedData())
            await mine.store(report("a"))
            storing = asyncio.create_task(mine.store(report("a")))
            await asyncio.sleep(0)
            storing.cancel()
            await asyncio.wait([storing])
            await client.set(KEYSPACE.gateway("a"), "stored by the call that was cancelled")
            await mine.store(report("a"))

            assert mine.may_lack_some
