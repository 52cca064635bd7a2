"""Tickets: how a browser's EventSource, which sends no header, is let in."""

import hashlib

import httpx
import pytest

from shared.redis_source import RedisSource
from shared.valkey_server import ValkeyServer
from tests.event_stream import open_stream
from tests.services import running_gateway

TOKEN = {"Authorization": "Bearer right-one"}


async def _issue(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/api/stream/ticket", headers=TOKEN)
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 30
    ticket: str = answer.json()["ticket"]
    return ticket


async def _status(url: str, **query: str) -> int:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"{url}/api/stream/prices", params={"symbols": "SPY", **query}) as got,
    ):
        return got.status_code


async def test_a_ticket_opens_one_stream_and_no_second(any_source: RedisSource) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        ticket = await _issue(url)
        async with open_stream(url, symbols="SPY", ticket=ticket) as stream:
            await stream.until_kind("ready")

        assert await _status(url, ticket=ticket) == 401


async def test_any_gateway_accepts_it(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        running_gateway(any_source, api_token="right-one") as other,
    ):
        assert await _status(other, ticket=await _issue(url)) == 200


async def test_neither_a_mistake_in_the_query_nor_a_head_costs_the_ticket(
    any_source: RedisSource,
) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        ticket = await _issue(url)

        assert await _status(url, ticket=ticket, symbols="$$$") == 400
        async with httpx.AsyncClient() as client:
            head = await client.head(f"{url}/api/stream/prices?symbols=SPY&ticket={ticket}")
        assert head.status_code == 200
        assert await _status(url, ticket=ticket) == 200


@pytest.mark.parametrize("ticket", ["", "unknown", "a" * 5000, "\x00", "*"])
async def test_an_unknown_ticket_is_refused(any_source: RedisSource, ticket: str) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        assert await _status(url, ticket=ticket) == 401


async def test_the_token_does_without_a_ticket(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        open_stream(url, symbols="SPY", ticket="stale", headers=TOKEN) as stream,
    ):
        await stream.until_kind("ready")


async def test_a_ticket_opens_nothing_but_streams(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        httpx.AsyncClient() as client,
    ):
        ticket = await _issue(url)
        answer = await client.get(f"{url}/api/prices?symbols=SPY&ticket={ticket}")

    assert answer.status_code == 401


async def test_only_its_hash_is_stored_and_not_for_long(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        any_source.client("test") as client,
    ):
        ticket = await _issue(url)
        [key] = [key async for key in client.scan_iter(match="ticket:*")]
        value, life = await client.get(key), await client.ttl(key)

    assert key == b"ticket:" + hashlib.sha256(ticket.encode()).hexdigest().encode()
    assert ticket.encode() not in (value or b"")
    assert 0 < life <= 30


async def test_no_two_tickets_are_alike(any_source: RedisSource) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        tickets = {await _issue(url) for _ in range(20)}

    assert len(tickets) == 20
    assert all(len(ticket) >= 32 for ticket in tickets)


async def test_without_redis_a_ticket_is_not_refused_but_postponed(valkey: ValkeyServer) -> None:
    async with (
        running_gateway(RedisSource(valkey.url), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        ticket = await _issue(url)
        await valkey.stop()
        answers = [
            await client.post("/api/stream/ticket", headers=TOKEN),
            await client.get(f"/api/stream/prices?symbols=SPY&ticket={ticket}"),
            await client.get("/api/prices?symbols=SPY", headers=TOKEN),
        ]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "redis_unavailable"
        assert int(answer.headers["retry-after"]) >= 1


async def test_without_a_token_set_a_ticket_is_not_asked_for(any_source: RedisSource) -> None:
    async with running_gateway(any_source) as url:
        assert await _status(url) == 200
        assert await _status(url, ticket="unknown") == 200
