"""``/api/assets``, and the names in ``/api/udf``: from the list that the ingest has stored."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from shared import asset
from shared.asset import Asset
from shared.bus.redis_source import RedisSource
from tests.keyspace import KEYSPACE
from tests.services import running_gateway

BAC = Asset("BAC", "Bank of America Corporation", "NYSE", "stock")
SPY = Asset("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "stock")


async def store(client: Redis, as_of: str, assets: Sequence[Asset]) -> None:
    fields: Any = {"as_of": as_of, "list": asset.encode(assets)}
    await client.hset(KEYSPACE.assets, mapping=fields)


@asynccontextmanager
async def gateway(source: RedisSource) -> AsyncIterator[tuple[Redis, httpx.AsyncClient]]:
    async with (
        source.client("test") as client,
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield client, http


async def test_a_search_returns_the_assets_with_their_names(any_source: RedisSource) -> None:
    async with gateway(any_source) as (client, http):
        await store(client, "2026-11-16T14:00:00Z", [BAC, SPY])
        answer = await http.get("/api/assets", params={"query": "bank"})

    assert answer.json() == {
        "as_of": "2026-11-16T14:00:00Z",
        "assets": [
            {
                "symbol": "BAC",
                "name": "Bank of America Corporation",
                "exchange": "NYSE",
                "type": "stock",
            }
        ],
    }


async def test_a_newer_list_takes_the_place_of_the_one_before() -> None:
    async with gateway(RedisSource("memory://")) as (client, http):
        found = []
        for as_of, assets in (("2026-11-16T14:00:00Z", [BAC]), ("2026-11-17T14:00:00Z", [SPY])):
            await store(client, as_of, assets)
            answer = await http.get("/api/assets", params={"query": "spy"})
            found.append([each["symbol"] for each in answer.json()["assets"]])

    assert found == [[], ["SPY"]]


@pytest.mark.parametrize("fields", [{}, {"as_of": "x"}, {"as_of": "x", "list": "{"}, None])
async def test_if_redis_has_no_list_the_answer_says_so(fields: dict[str, str] | None) -> None:
    async with gateway(RedisSource("memory://")) as (client, http):
        if fields:
            stored: Any = fields
            await client.hset(KEYSPACE.assets, mapping=stored)
        elif fields is None:
            await client.set(KEYSPACE.assets, "text")
        answer = await http.get("/api/assets", params={"query": "spy"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_assets")
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({}, "query is missing"),
        ({"query": ""}, "query=''"),
        ({"query": "x" * 65}, "query="),
        ({"query": "spy", "limit": 101}, "limit=101"),
        ({"query": "spy", "type": "option"}, "type='option'"),
    ],
)
async def test_bad_parameters_are_named(query: dict[str, Any], says: str) -> None:
    async with gateway(RedisSource("memory://")) as (_, http):
        answer = await http.get("/api/assets", params=query)

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_tradingviews_search_and_symbols_have_names_and_exchanges() -> None:
    async with gateway(RedisSource("memory://")) as (client, http):
        await store(client, "2026-11-16T14:00:00Z", [BAC, SPY])
        found = (await http.get("/api/udf/search", params={"query": "bank"})).json()
        elsewhere = (
            await http.get("/api/udf/search", params={"query": "bank", "exchange": "ARCA"})
        ).json()
        known = (await http.get("/api/udf/symbols", params={"symbol": "bac"})).json()
        unlisted = (await http.get("/api/udf/symbols", params={"symbol": "OLD"})).json()

    assert [(each["symbol"], each["description"], each["exchange"]) for each in found] == [
        ("BAC", "Bank of America Corporation", "NYSE")
    ]
    assert elsewhere == []
    assert (known["description"], known["listed_exchange"]) == (BAC.name, "NYSE")
    assert (unlisted["description"], unlisted["exchange"]) == ("OLD", "")
