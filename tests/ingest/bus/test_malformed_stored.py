"""Histories and values in Redis that another program wrote: counted, and the ingest continues."""

import asyncio
import time

import pytest

from ingest.bus.announcer import Announcer
from ingest.bus.history_gaps import HistoryGaps
from ingest.bus.newest_entries import newest_entries
from ingest.bus.outbox import Outbox
from ingest.bus.stored_account import StoredAccount
from ingest.bus.stored_prices import StoredPrices
from ingest.demand.wanted import Demand
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from tests.keyspace import KEYSPACE
from tests.services import until

PRINT = (
    '{"event_id":"1-1","symbol":"SPY","id":"1","price":1.0,"size":1,"exchange":"V",'
    '"conditions":[],"tape":"B","eligible":true,"timestamp":"2026-11-16T17:00:00Z"}'
)


@pytest.mark.parametrize("since", ["soon", "-1", "9" * 400])
async def test_a_history_with_foreign_entries_ends_no_ingest(
    source: RedisSource, since: str
) -> None:
    foreign = [{"event": "trade"}, {"data": b"\xff"}, {"data": '{"timestamp":"noon"}'}]
    demand, malformed, verified = Demand(time.monotonic), MalformedStored(), asyncio.Event()
    outbox = Outbox()
    verified.set()
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, since)
        await client.set(KEYSPACE.history("trade:IBM"), "x")
        await client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id="1-1")
        for number, fields in enumerate(foreign, 2):
            for topic in ("trade:SPY", "news:*"):
                await client.xadd(KEYSPACE.history(topic), fields, id=f"1-{number}")  # type: ignore[arg-type]
        demand.update({"trade:IBM": 1, "trade:SPY": 1, "news:*": 1})
        gaps = HistoryGaps(
            client,
            KEYSPACE,
            demand,
            Announcer(outbox),
            lambda *_: None,
            {},
            Rejections(),
            malformed,
            verified,
            2,
            lambda _: 0.0,
        )
        running = asyncio.create_task(gaps.run())
        await until(lambda: gaps._recorded == {"trade:IBM", "trade:SPY", "news:*"})
        running.cancel()
        await asyncio.wait([running])

    assert running.cancelled()
    assert malformed.count >= len(foreign) + 2
    gaps_of = {gap.topic: gap.body for gap in outbox.take(10)}
    assert gaps_of.keys() == {"trade:SPY", "news:*"}
    # From the newest print that can be read. No article can.
    assert b"2026-11-16T17:00:00Z" in gaps_of["trade:SPY"]


@pytest.mark.parametrize("stored", [b"\xff", b"1-1\n\xff", b"1-1\n{}", b'1-1\n{"symbol":1}'])
async def test_a_stored_value_that_cannot_be_read_counts_as_none(
    source: RedisSource, stored: bytes
) -> None:
    malformed = MalformedStored()
    async with source.client("test") as client:
        for topic in ("price:SPY", "account"):
            await client.set(KEYSPACE.last(topic), stored)
        await client.set(KEYSPACE.history("orders"), "x")
        parts = (client, KEYSPACE, Rejections(), malformed)

        assert await StoredPrices(*parts).quotes(["SPY"]) == []
        assert await StoredPrices(*parts).trading_statuses(["SPY"]) == []
        assert await StoredAccount(*parts).account() is None
        assert await StoredAccount(*parts).orders() == ([], None)
    assert malformed.count == 2


@pytest.mark.parametrize("foreign", ["1-3", "9223372036854775807-1", f"{2**64 - 1}-{2**64 - 1}"])
async def test_an_entry_that_is_newer_than_everything_published_is_ignored(
    any_source: RedisSource, foreign: str
) -> None:
    async with any_source.client("test") as client:
        for event_id in ("1-1", "1-2", foreign):
            await client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id=event_id)
        await client.set(KEYSPACE.published, "1-2")

        entries = await newest_entries(client, KEYSPACE, "trade:SPY", 10)
        assert [entry[0] for entry in entries] == [b"1-2", b"1-1"]


@pytest.mark.parametrize("published", [None, "mine"])
async def test_without_a_newest_published_event_every_entry_counts(
    any_source: RedisSource, published: str | None
) -> None:
    async with any_source.client("test") as client:
        await client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id="1-1")
        if published:
            await client.set(KEYSPACE.published, published)

        assert len(await newest_entries(client, KEYSPACE, "trade:SPY", 10)) == 1
