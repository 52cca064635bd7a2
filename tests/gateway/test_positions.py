"""Positions, account and orders from Redis to a client, on both paths."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.order import Order, OrderUpdate
from tests.event_stream import EventStream, open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.portable import Run
from tests.gateway.portfolio import PortfolioStub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until

POSITIONS = "/api/stream/positions"


@asynccontextmanager
async def portfolio(source: RedisSource) -> AsyncIterator[PortfolioStub]:
    async with source.client("stub") as client:
        yield PortfolioStub(client)


def told(stream: EventStream) -> list[str]:
    """Return the positions as they came: symbol and id, with a minus where one was closed."""
    return [
        f"{'-' if each['removed'] else ''}{each['symbol']} {each['event_id'].partition('-')[2]}"
        for each in stream.of("position")
    ]


def has(*rows: str) -> Any:
    """Return the condition that a stream has brought some rows."""
    return lambda stream: set(rows) <= set(told(stream))


async def stored(url: str, query: str = "", **headers: str) -> Any:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/positions{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_stream_brings_all_open_positions_then_every_change(
    any_source: RedisSource, run: Run
) -> None:
    async with portfolio(any_source) as ingest, run(any_source) as url:
        await ingest.position(1, "SPY", qty=2.5)
        await ingest.position(3, "BTC/USD", qty=0.1)
        await ingest.position(5, "AIG", removed=True)
        await ingest.account(7, "SPY", "BTC/USD", equity=10.25)
        async with open_stream(url, POSITIONS, interval="0") as stream:
            await stream.until_kind("ready")
            kinds = [event.kind for event in stream.events]
            await ingest.position(8, "AAPL240119C00100000", qty=-1)
            await ingest.position(10, "SPY", removed=True)
            await ingest.account(12, "BTC/USD", "AAPL240119C00100000")
            await stream.until(lambda s: s.of("account")[-1]["event_id"] == "1-12")

    assert stream.of("hello")[0]["topics"] == ["position:*", "account"]
    assert kinds == ["hello", "position", "position", "account", "feed", "ready"]
    assert told(stream) == ["BTC/USD 3", "SPY 1", "AAPL240119C00100000 9", "-SPY 11"]
    assert stream.of("account")[0]["equity"] == 10.25


async def test_single_positions_are_watched_by_their_symbols(
    any_source: RedisSource, run: Run
) -> None:
    async with portfolio(any_source) as ingest, run(any_source) as url:
        await ingest.position(1, "BTC/USD", qty=1)
        async with open_stream(url, POSITIONS, symbols="spy,btc/usd", interval="0") as stream:
            await stream.until_kind("ready")
            await ingest.position(3, "IBM", qty=1)
            await ingest.position(5, "SPY", qty=1)
            await ingest.position(7, "BTC/USD", removed=True)
            await stream.until(has("-BTC/USD 7"))

    assert told(stream) == ["BTC/USD 1", "SPY 5", "-BTC/USD 7"]


async def test_an_empty_portfolio_is_not_taken_for_an_unknown_one(
    any_source: RedisSource, run: Run
) -> None:
    async with (
        portfolio(any_source) as ingest,
        run(any_source) as url,
        open_stream(url, POSITIONS, interval="0") as stream,
        open_stream(url, "/api/stream/account", interval="0") as alone,
    ):
        for each in (stream, alone):
            await each.until_kind("ready")
        unknown = await stored(url)
        await ingest.account(1)
        for each in (stream, alone):
            await each.until_kind("account", 2)
        known = await stored(url)

    for each in (stream, alone):
        nothing, empty = each.of("account")
        assert (nothing["state"], nothing["event_id"]) == ("unknown", "0-0")
        assert nothing["reason"] == "no ingest has reported the account yet"
        assert (empty["state"], empty["positions"]) == ("live", [])
    assert unknown == {"account": stream.of("account")[0], "positions": []}
    assert known == {"account": stream.of("account")[1], "positions": []}


@pytest.mark.slow
async def test_while_redis_is_away_the_account_is_unknown_and_why(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    await valkey.stop()
    async with running_gateway(source) as url, open_stream(url, POSITIONS) as stream:
        await stream.until_kind("ready")
        async with httpx.AsyncClient() as client:
            refused = await client.get(f"{url}/api/positions")
        await valkey.start()
        async with portfolio(source) as ingest:
            await ingest.position(1, "SPY", qty=1)
            await ingest.account(3, "SPY")
            await stream.until(lambda s: told(s) and s.of("account")[-1]["state"] == "live")

    assert stream.of("account")[0]["reason"].startswith("redis_unavailable: ")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "redis_unavailable")


async def test_what_happened_while_redis_was_away_is_told(source: RedisSource, run: Run) -> None:
    async with (
        portfolio(source) as ingest,
        run(source) as url,
        open_stream(url, POSITIONS, interval="0") as stream,
    ):
        await stream.until_kind("ready")
        for seq, symbol in ((1, "AIG"), (3, "IBM"), (5, "SPY")):
            await ingest.position(seq, symbol, qty=1)
        await ingest.account(7, "AIG", "IBM", "SPY")
        await stream.until(lambda s: s.of("account")[-1]["event_id"] == "1-7")
        async with ingest.client.pipeline(transaction=True) as batch:
            unheard = PortfolioStub(batch)
            batch.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await unheard.position(10, "IBM", removed=True, heard=False)
            await unheard.position(20, "SPY", qty=2, heard=False)
            await unheard.position(22, "BAC", qty=3, heard=False)
            await unheard.account(24, "BAC", "SPY", heard=False)
            await batch.execute()
        await stream.until(has("-AIG 24", "-IBM 24", "SPY 20", "BAC 22"))
        await ingest.position(30, "SPY", removed=True)
        await stream.until(has("-SPY 31"))

    assert told(stream)[:3] == ["AIG 2", "IBM 4", "SPY 6"]
    assert sorted(told(stream)[3:7]) == ["-AIG 24", "-IBM 24", "BAC 22", "SPY 20"]
    assert told(stream)[7:] == ["-SPY 31"]


@pytest.mark.parametrize("account", ["missing", "unknown", "malformed"])
async def test_nothing_is_removed_where_nothing_is_known(source: RedisSource, account: str) -> None:
    async with (
        portfolio(source) as ingest,
        gateway_with_hub(source) as (url, hub),
        open_stream(url, POSITIONS, interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await ingest.position(1, "SPY", qty=1)
        await stream.until(has("SPY 2"))
        if account == "unknown":
            await ingest.account(9, state="unknown", heard=False)
        elif account == "malformed":
            await ingest.client.set(KEYSPACE.last("account"), b'1-9\n{"positions":7}')
        await ingest.client.set(KEYSPACE.published, "1-50")
        await ingest.client.client_kill_filter(_type="pubsub")
        await until(lambda: hub.cursor == (1, 50))  # all has been read again
        async with open_stream(url, POSITIONS) as newcomer:
            await newcomer.until_kind("ready")

    assert told(stream) == told(newcomer) == ["SPY 2"]


async def test_positions_and_account_are_not_given_back_to_an_emptied_redis(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was closed in the meantime must not return; the ingest publishes all again."""
    monkeypatch.setattr("gateway.bus.interest_claims.RENEW_SECONDS", 0.05)
    topics = "position:*,position:SPY,account,price:SPY"
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=topics, interval="0") as stream,
    ):
        await stream.until_kind("ready")
        held = PortfolioStub(ingest.client)
        await held.position(1, "SPY", qty=1)
        await held.account(3, "SPY")
        await ingest.publish(4)
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-4")
        await ingest.client.flushall()

        async def claimed() -> bool:
            return int(await ingest.client.hlen(KEYSPACE.interest)) == 4

        await until(claimed)
        names = [KEYSPACE.last(topic) for topic in topics.split(",")]
        price, *others = reversed(await ingest.client.mget(names))

    assert price is not None
    assert others == [None, None, None]


async def test_the_stored_positions_are_answered_once(any_source: RedisSource) -> None:
    async with portfolio(any_source) as ingest, running_gateway(any_source) as url:
        for seq, symbol in ((1, "SPY"), (3, "BTC/USD"), (5, "IBM"), (7, "AIG")):
            await ingest.position(seq, symbol, qty=seq)
        await ingest.position(9, "IBM", removed=True)
        await ingest.account(11, "BTC/USD", "SPY")
        everything = await stored(url)
        some = await stored(url, "?symbols=spy,IBM,AIG,BAC")

    assert everything["account"]["event_id"] == "1-11"
    found = [(each["symbol"], each["qty"]) for each in everything["positions"]]
    assert found == [("BTC/USD", 3), ("SPY", 1)]
    assert [each["symbol"] for each in some["positions"]] == ["SPY"]


async def test_orders_resume_after_the_event_that_a_client_has(
    any_source: RedisSource, run: Run
) -> None:
    async with ingest_stub(any_source) as ingest, run(any_source) as url:

        async def fill(seq: int) -> None:
            order = Order(id=str(seq), symbol="BTC/USD", filled_qty=0.25)
            at = "2026-11-25T15:00:00Z"
            update = OrderUpdate(event="fill", symbol="BTC/USD", timestamp=at, order=order)
            await ingest.tell(seq, "orders", update)

        for seq in (1, 2, 3):
            await fill(seq)
        async with open_stream(url, "/api/stream/orders") as newcomer:
            await newcomer.until_kind("ready")
            await fill(4)
            await newcomer.until_kind("orders")
        resuming = {"Last-Event-ID": "1-2"}
        async with open_stream(url, "/api/stream/orders", headers=resuming) as stream:
            await stream.until_kind("orders", 2)

    assert [event.id for event in newcomer.events if event.kind == "orders"] == ["1-4"]
    assert [event.id for event in stream.events if event.kind == "orders"] == ["1-3", "1-4"]
    assert stream.of("orders")[0]["order"]["filled_qty"] == 0.25
    assert stream.of("hello")[0]["topics"] == ["orders"]


async def test_a_running_stream_takes_positions_account_and_orders(source: RedisSource) -> None:
    async with (
        portfolio(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, symbols="IBM") as stream,
        httpx.AsyncClient() as client,
    ):
        [hello] = await stream.until_kind("hello")
        await stream.until_kind("ready")
        await ingest.position(1, "SPY", qty=1)
        await ingest.account(3, "SPY")
        answer = await client.patch(
            f"{url}/api/stream/{hello['stream_id']}",
            json={"add": ["position:*@1", "account", "orders"], "remove": ["price:IBM"]},
        )
        await stream.until_kind("ready", 2)

    assert answer.json()["topics"] == ["status:IBM", "position:*", "account", "orders"]
    assert answer.json()["intervals"]["position:*"] == 1
    assert told(stream) == ["SPY 1"]
    assert [each["state"] for each in stream.of("account")] == ["live"]


@pytest.mark.parametrize("topic", ["position:SPY", "position:*", "account"])
async def test_no_log_says_what_of_an_account_could_not_be_read(
    source: RedisSource, topic: str
) -> None:
    with capture_logs() as lines:
        async with (
            ingest_stub(source) as ingest,
            running_gateway(source) as url,
            open_stream(url, "/api/stream", topics=f"{topic},orders", interval="0") as stream,
        ):
            await stream.until_kind("ready")
            await ingest.client.publish(topic, b'{"symbol":"SPY","qty":7')
            await ingest.client.publish("orders", b'{"symbol":"SPY","qty":7')
            await until(lambda: len([x for x in lines if x["event"] == "stored_malformed"]) == 2)

    refused = [line for line in lines if line["event"] == "stored_malformed"]
    assert [line["where"] for line in refused] == [topic.partition(":")[0], "orders"]
    assert "SPY" not in str(lines)
