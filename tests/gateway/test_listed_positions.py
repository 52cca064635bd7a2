"""Positions that were closed while Redis was emptied and no ingest led."""

import pytest

from gateway.bus import listed_positions
from shared import message
from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.portable import Run
from tests.gateway.portfolio import PortfolioStub
from tests.gateway.test_own_ids import lead
from tests.gateway.test_positions import told


@pytest.mark.parametrize("topics", ["position:*", "position:IBM,position:SPY"])
async def test_what_a_new_leaders_account_does_not_list_is_closed_even_if_redis_was_emptied(
    any_source: RedisSource, run: Run, monkeypatch: pytest.MonkeyPatch, topics: str
) -> None:
    monkeypatch.setattr(listed_positions, "LOOK_SECONDS", 0.02)
    async with ingest_stub(any_source) as ingest, run(any_source) as url:
        account = PortfolioStub(ingest.client)
        await lead(ingest, 1)
        await account.position(1, "IBM", qty=1)
        await account.position(3, "SPY", qty=1)
        await account.account(5, "IBM", "SPY")
        async with open_stream(url, "/api/stream", topics=topics, interval="0") as stream:
            await stream.until_kind("ready")
            await ingest.client.flushall()
            account.epoch = 2
            await lead(ingest, 2)
            await account.account(2, state="unknown")
            await account.position(3, "SPY", qty=2)
            await stream.until(lambda s: len(told(s)) > 2)
            assert [each["removed"] for each in stream.of("position")] == [False] * 3
            await account.account(6, "SPY")
            await stream.until(lambda s: len(told(s)) > 3)

    assert told(stream)[3] == "-IBM 6"


async def test_a_position_that_cannot_be_read_is_closed_like_any_other(
    any_source: RedisSource, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed_positions, "LOOK_SECONDS", 0.02)
    async with ingest_stub(any_source) as ingest, run(any_source) as url:
        account = PortfolioStub(ingest.client)
        await lead(ingest, 1)
        await account.account(1, "IBM")
        topics = "position:IBM,position:SPY"
        async with open_stream(url, "/api/stream", topics=topics, interval="0") as stream:
            await stream.until_kind("ready")
            body = b'{"event_id":"1-2","symbol":"IBM","removed":"of another version"}'
            await ingest.client.publish("position:IBM", message.pack(EventId(1, 2), body))
            await stream.until(lambda s: s.of("position"))
            account.epoch = 2
            await lead(ingest, 2)
            await account.account(3, "SPY")
            await account.position(4, "SPY", qty=2)
            await stream.until(lambda s: any(each["removed"] is True for each in s.of("position")))
