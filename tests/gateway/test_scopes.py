"""What a token is good for: the market's data, positions, account and orders, each by itself."""

from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.topics import KINDS, WITHOUT_SYMBOL
from tests.event_stream import open_stream
from tests.gateway.portable import Run
from tests.gateway.portfolio import PortfolioStub
from tests.services import running_gateway

TOKENS = "all, web market, desk market positions account, rows positions, money account, log orders"
MEMORY = "memory://"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def status(url: str, path: str, token: str) -> tuple[int, str]:
    """Return the status of an answer, and the code of a refusal."""
    async with (
        httpx.AsyncClient(base_url=url, headers=bearer(token)) as client,
        client.stream("GET", path) as answer,
    ):
        if answer.status_code == 200:
            return 200, ""
        await answer.aread()
        error = answer.json()["error"]
        assert error["hint"]
        return answer.status_code, f"{error['code']}: {error['message']}"


NEEDS = [
    ("/api/stream/prices?symbols=SPY", "market", "all web desk"),
    ("/api/stream/news", "market", "all web desk"),
    ("/api/prices?symbols=SPY", "market", "all web desk"),
    ("/api/bars?symbols=SPY", "market", "all web desk"),
    ("/api/stream/positions", "positions account", "all desk rows money"),
    ("/api/stream?topics=position:SPY", "positions", "all desk rows"),
    ("/api/positions", "positions", "all desk rows"),
    ("/api/stream/account", "account", "all desk money"),
    ("/api/stream/orders", "orders", "all log"),
]


@pytest.mark.parametrize(("path", "scopes", "tokens"), NEEDS)
async def test_a_path_is_open_to_the_tokens_that_have_its_scope_alone(
    path: str, scopes: str, tokens: str
) -> None:
    async with running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url:
        for token in ("all", "web", "desk", "rows", "money", "log"):
            allowed = token in tokens.split()
            refused = (403, f"scope_denied: the token has no scope {scopes}")
            assert await status(url, path, token) == ((200, "") if allowed else refused), token


async def test_every_token_sees_how_everything_is() -> None:
    async with running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url:
        for token in ("web", "rows", "money", "log"):
            assert await status(url, "/api/stream/status", token) == (200, "")


async def test_each_kind_needs_a_scope_of_its_own_or_market(run: Run) -> None:
    own = {"position": "rows", "account": "money", "orders": "log"}
    async with run(RedisSource(MEMORY), api_token=TOKENS) as url:
        symbols = {"book": "BTC/USD"}
        topics = [
            kind if kind in WITHOUT_SYMBOL else f"{kind}:{symbols.get(kind, 'SPY')}"
            for kind in KINDS
        ]
        for token in ("web", *own.values()):
            async with open_stream(
                url, "/api/stream", topics=",".join(topics), headers=bearer(token)
            ) as stream:
                [hello] = await stream.until_kind("hello")
            allowed = [t for t in topics if own.get(t.partition(":")[0], "web") == token]
            assert hello["topics"] == allowed
            assert hello["denied"] == [t for t in topics if t not in allowed]


async def test_positions_come_without_the_account_to_who_may_not_see_it(
    any_source: RedisSource, run: Run
) -> None:
    async with (
        any_source.client("stub") as client,
        run(any_source, api_token=TOKENS) as url,
        httpx.AsyncClient(base_url=url, headers=bearer("rows")) as asking,
    ):
        ingest = PortfolioStub(client)
        await ingest.position(1, "SPY", qty=1)
        await ingest.account(3, "SPY", equity=77.25)
        async with open_stream(url, "/api/stream/positions", headers=bearer("rows")) as stream:
            await stream.until_kind("ready")
        answer = await asking.get("/api/positions")

    [hello] = stream.of("hello")
    assert (hello["topics"], hello["denied"]) == (["position:*"], ["account"])
    assert [event.kind for event in stream.events] == ["hello", "position", "feed", "ready"]
    assert answer.json()["account"] is None
    assert [each["symbol"] for each in answer.json()["positions"]] == ["SPY"]
    assert "77.25" not in answer.text


async def ticket(url: str, token: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{url}/api/stream/ticket", json=body, headers=bearer(token))


@pytest.mark.parametrize("body", [None, {"topics": ["price:SPY", "position:*", "account"]}])
async def test_a_ticket_gives_no_more_than_its_token_at_any_gateway(
    any_source: RedisSource, body: Any
) -> None:
    asked = "price:SPY,position:*,account,orders"
    async with (
        running_gateway(any_source, api_token=TOKENS) as url,
        running_gateway(any_source, api_token=TOKENS) as other,
    ):
        issued = await ticket(url, "web", body)
        async with open_stream(
            other, "/api/stream", topics=asked, ticket=issued.json()["ticket"]
        ) as stream:
            [hello] = await stream.until_kind("hello")
        again = (await ticket(url, "web", body)).json()["ticket"]
        async with httpx.AsyncClient(base_url=other) as client:
            answer = await client.get(f"/api/stream/positions?ticket={again}")

    assert (hello["topics"], hello["denied"]) == (["price:SPY"], asked.split(",")[1:])
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_denied")


async def test_a_ticket_that_would_open_nothing_is_not_issued() -> None:
    async with running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url:
        answer = await ticket(url, "web", {"topics": ["position:*", "orders"]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_denied")
    assert answer.json()["error"]["message"] == "the token has no scope orders positions"


async def test_nothing_is_added_to_a_stream_that_its_token_has_no_scope_for() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token=TOKENS) as url,
        open_stream(url, symbols="SPY", headers=bearer("web")) as stream,
        httpx.AsyncClient(base_url=url, headers=bearer("web")) as client,
    ):
        await stream.until_kind("ready")
        path = f"/api/stream/{stream.of('hello')[0]['stream_id']}"
        refused = await client.patch(path, json={"add": ["quote:SPY", "account"]})
        now = await client.patch(path, json={})

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_denied")
    assert "scope account" in refused.json()["error"]["message"]
    assert now.json()["topics"] == ["price:SPY", "status:SPY"]


async def test_without_a_token_set_everything_is_open() -> None:
    async with running_gateway(RedisSource(MEMORY)) as url:
        for path, _, _ in NEEDS:
            assert await status(url, path, "any") == (200, "")
