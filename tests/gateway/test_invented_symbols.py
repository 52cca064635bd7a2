"""``hello`` and the answer of a change name the symbols whose data are invented."""

import httpx
import pytest

from gateway.composition import Surroundings
from gateway.http.invented_symbols import invented_symbols
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.services import running_gateway

AROUND = Surroundings(is_invented=lambda symbol: symbol in {"AAPL", "DOGE/USD", "MSFT", "*"})
TOPICS = "price:SPY,quote:DOGE/USD,price:AAPL,trade:AAPL,news:*,position:*,account"


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (["price:SPY"], []),
        (["price:SPY", "quote:MSFT", "trade:AAPL", "status:MSFT"], ["MSFT", "AAPL"]),
        (["bar.1Min:AAPL", "position:MSFT"], ["AAPL", "MSFT"]),
        (["news:*", "position:*", "account", "orders"], []),
        (["news:AAPL"], []),
        (["news:AAPL", "luld:AAPL"], ["AAPL"]),
        ([], []),
    ],
)
def test_each_is_named_once_in_the_order_of_topics_and_not_for_its_news(
    topics: list[str], expected: list[str]
) -> None:
    assert invented_symbols(topics, AROUND.is_invented) == expected


async def test_hello_and_the_answer_of_a_change_name_them(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, around=AROUND) as url,
        open_stream(url, "/api/stream", topics=TOPICS) as stream,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await stream.until_kind("ready")
        [hello] = stream.of("hello")
        path = f"/api/stream/{hello['stream_id']}"
        added = await client.patch(path, json={"add": ["price:MSFT", "price:IBM"]})
        removed = await client.patch(
            path, json={"remove": ["quote:DOGE/USD", "price:AAPL", "trade:AAPL", "price:MSFT"]}
        )

    assert hello["invented"] == ["DOGE/USD", "AAPL"]
    assert added.json()["invented"] == ["DOGE/USD", "AAPL", "MSFT"]
    assert removed.json()["invented"] == []


async def test_a_ticket_learns_only_those_of_its_topics(source: RedisSource) -> None:
    headers = {"Authorization": "Bearer one"}
    async with (
        running_gateway(source, around=AROUND, api_token="one") as url,
        open_stream(url, symbols="AAPL", headers=headers) as stream,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await stream.until_kind("ready")
        asked = {"topics": ["price:MSFT"]}
        issued = await client.post("/api/stream/ticket", json=asked, headers=headers)
        changed = await client.patch(
            f"/api/stream/{stream.of('hello')[0]['stream_id']}",
            params={"ticket": issued.json()["ticket"]},
            json={"add": ["price:MSFT"]},
        )

    assert changed.json()["invented"] == ["MSFT"]


async def test_a_gateway_of_its_own_knows_of_no_invented_data(any_source: RedisSource) -> None:
    async with running_gateway(any_source) as url, open_stream(url, symbols="AAPL") as stream:
        [hello] = await stream.until_kind("hello")

    assert hello["invented"] == []
