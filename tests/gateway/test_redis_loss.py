"""Redis goes and comes back: streams stay open, ids never go back, nothing stored is missed."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.bus import subscriber
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from tests.event_stream import EventStream, open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import ingest_stub
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until


def _ids(stream: EventStream) -> list[EventId]:
    return [EventId.parse(price["event_id"]) for price in stream.of("price")]


def _has(event_id: EventId, stream: EventStream) -> bool:
    return event_id in _ids(stream)


async def _claims(client: Redis) -> dict[str, float]:
    """Return the topics that are claimed, with their expiry in unix ms."""
    found: Any = await client.hgetall(KEYSPACE.interest)
    return {
        member.decode().partition(" ")[2]: float(claim.split()[0])
        for member, claim in found.items()
    }


async def _reports(client: Redis) -> list[bytes]:
    """Return the keys of the gateways' reports; their other keys have a colon more."""
    found: Any = await client.keys(KEYSPACE.gateway("*"))
    return [key for key in found if key.count(b":") == 1]


async def test_a_stream_survives_a_restart_of_redis(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        async with ingest_stub(source) as ingest:
            await ingest.report(4)
            await ingest.publish(5)
            await stream.until(lambda s: EventId(1, 5) in _ids(s))
            await stream.until(lambda s: s.of("feed")[-1]["state"] == "live")
        await valkey.stop()
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "down")
        reason = stream.of("feed")[-1]["reason"]
        await valkey.start()
        async with ingest_stub(source) as ingest:
            await ingest.store(6)  # while no subscriber listened
            await stream.until(lambda s: EventId(1, 6) in _ids(s))
            await ingest.report(7)
            await stream.until(lambda s: s.of("feed")[-1]["state"] == "live")
            await ingest.publish(8)
            await stream.until(lambda s: EventId(1, 8) in _ids(s))
            await ingest.publish(2)
            await ingest.publish(9)
            await stream.until(lambda s: EventId(1, 9) in _ids(s))

        assert not stream.ended
    assert reason.startswith("redis_unavailable: ")
    assert _ids(stream) == [EventId(0, 0), *(EventId(1, seq) for seq in (5, 6, 8, 9))]
    feeds = [EventId.parse(feed["event_id"]) for feed in stream.of("feed")]
    assert feeds == sorted(feeds)


async def test_a_connection_that_is_killed_loses_nothing_that_is_stored(
    source: RedisSource,
) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, symbols="SPY,IBM", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        for seq in range(1, 11):
            await ingest.client.client_kill_filter(_type="pubsub")
            await ingest.store(seq, "SPY")
            await stream.until(partial(_has, EventId(1, seq)))

    ids = _ids(stream)
    assert ids == sorted(ids)


async def test_a_stream_opened_while_redis_was_unreachable_gets_its_values_afterwards(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    await valkey.stop()
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await valkey.start()
        async with ingest_stub(source) as ingest:
            await ingest.publish(1)
            await stream.until(lambda s: EventId(1, 1) in _ids(s))

    assert stream.of("price")[0]["reason"] == "redis_unavailable"


async def test_a_price_that_could_not_be_read_is_reported_as_absent_afterwards(
    valkey: ValkeyServer,
) -> None:
    await valkey.stop()
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await stream.until_kind("ready")
        await valkey.start()
        await stream.until_kind("price", 2)

    assert [p["reason"] for p in stream.of("price")] == ["redis_unavailable", "no_trade_seen"]


async def test_a_redis_that_hangs_is_seen_as_lost(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PING_SECONDS", 0.1)
    monkeypatch.setattr(subscriber, "REDIS_SILENCE_SECONDS", 0.5)
    with capture_logs() as lines:
        async with running_gateway(RedisSource(valkey.url)) as url, httpx.AsyncClient() as client:

            async def readiness() -> int:
                return (await client.get(f"{url}/readyz")).status_code

            await until(lambda: _is(readiness, 200))
            os.kill(valkey.pid, signal.SIGSTOP)
            try:
                await until(lambda: _is(readiness, 503))
            finally:
                os.kill(valkey.pid, signal.SIGCONT)
            await until(lambda: _is(readiness, 200))

    assert any("sent nothing" in line.get("error", "") for line in lines)


async def _is(answer: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await answer() == wanted


async def test_a_quiet_redis_is_not_taken_for_a_hung_one(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PING_SECONDS", 0.05)
    monkeypatch.setattr(subscriber, "REDIS_SILENCE_SECONDS", 1.5)
    with capture_logs() as lines:
        async with running_gateway(any_source) as url, open_stream(url, symbols="SPY") as stream:
            await stream.until_kind("ready")
            await asyncio.sleep(2)  # longer than the silence that would end the connection

    assert [line for line in lines if line["event"] == "redis_unreachable"] == []


async def test_a_topic_dropped_and_watched_again_is_read_again(any_source: RedisSource) -> None:
    async with ingest_stub(any_source) as ingest, gateway_with_hub(any_source) as (url, hub):
        async with open_stream(url, symbols="SPY") as stream:
            await stream.until_kind("ready")
        await until(lambda: not hub.clients)
        await ingest.store(3)
        channel = hub.channels[b"price:SPY"]
        channel.idle_since -= 1_000  # as if no client had watched for a while

        hub.drop_idle()
        hub.watch({"price:SPY": 0.0})  # before the subscriber has seen that it was gone
        await until(lambda: hub.channels[b"price:SPY"].event_id == (1, 3))

        assert hub.channels[b"price:SPY"].loaded.is_set()


async def test_watched_topics_are_claimed_for_fifteen_seconds_with_a_notification(
    any_source: RedisSource,
) -> None:
    async with (
        any_source.client("test") as client,
        any_source.client("ingest", subscriber=True) as ingest,
        gateway_with_hub(any_source) as (url, _),
    ):
        nudges = ingest.pubsub()
        await nudges.subscribe(KEYSPACE.interest_channel)
        async with open_stream(url, symbols="SPY,IBM") as stream:
            await stream.until_kind("ready")
            heard = []
            while "message" not in heard:
                received = await nudges.get_message(timeout=LIMIT_SECONDS)
                assert received is not None
                heard.append(received["type"])
            claims = await _claims(client)
            seconds, micros = await client.time()
        await nudges.unsubscribe()
        await nudges.aclose()  # type: ignore[no-untyped-call]

    now = seconds * 1000 + micros / 1000
    assert set(claims) == {"price:IBM", "price:SPY", "status:IBM", "status:SPY"}
    assert all(now < expiry <= now + 15_000 for expiry in claims.values())


async def test_a_claim_is_renewed(any_source: RedisSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bus.interest_claims.RENEW_SECONDS", 0.05)
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        hub.watch({"price:SPY": 0.0})

        async def score() -> float:
            return (await _claims(client)).get("price:SPY", 0.0)

        async def claimed() -> bool:
            return await score() > 0

        await until(claimed)
        first = await score()

        async def renewed() -> bool:
            return await score() > first

        await until(renewed)


async def test_the_claim_of_a_topic_without_viewers_is_released(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        channels = list(hub.watch({"price:SPY": 0.0, "price:IBM": 0.0}))
        hub.unwatch(channels[:1])
        channels[0].idle_since -= 1_000

        async def only_ibm() -> bool:
            return set(await _claims(client)) == {"price:IBM"}

        await until(only_ibm)


async def test_interest_is_claimed_again_after_redis_lost_it(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    async with gateway_with_hub(source) as (_, hub):
        hub.watch({"price:SPY": 0.0})

        async def claimed() -> bool:
            async with source.client("test") as client:
                return await client.hlen(KEYSPACE.interest) == 1

        await until(claimed)
        await valkey.stop()
        await valkey.start()
        await until(claimed)


async def test_a_gateway_that_runs_is_known_to_the_others(any_source: RedisSource) -> None:
    async with running_gateway(any_source), any_source.client("test") as client:

        async def reported() -> bool:
            return await _reports(client) != []

        await until(reported)
        [key] = await _reports(client)

        assert 0 < await client.ttl(key) <= keys.GATEWAY_SECONDS


async def test_a_port_in_use_is_an_error_at_once() -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        port = httpx.URL(url).port or 0
        settings = GatewaySettings(_env_file=None, port=port)  # type: ignore[call-arg]
        with pytest.raises(OSError, match="in use"):
            GatewayService.bind(settings, RedisSource("memory://"))
