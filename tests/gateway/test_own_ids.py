"""Which event ids a gateway accepts: those that its own deployment's lease has given."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.bus import foreign_data, lease_watch
from gateway.bus.foreign_data import ForeignData
from gateway.bus.last_values import LastValues
from gateway.bus.malformed import MalformedData
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Hub
from gateway.fanout.own_ids import AHEAD, OwnIds
from shared.bus.redis_source import RedisSource
from shared.event_id import NEVER, EventId
from shared.trade import Trade
from tests.event_stream import EventStream, open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import IngestStub, ingest_stub
from tests.gateway.portfolio import PortfolioStub
from tests.keyspace import KEYSPACE
from tests.services import until

OURS = 1_795_873_315_827
FUTURE = 1_999_999_999_999
FOREIGN = OURS - 7
TRADES = "trade:SPY"
PRINT = Trade(
    symbol="SPY",
    timestamp="2026-11-16T17:00:00Z",
    id="7",
    price=167.5,
    size=100,
    exchange="V",
    conditions=("@",),
    tape="B",
    eligible=True,
    received=1,
)


def prices(stream: EventStream) -> list[str]:
    return [event["event_id"] for event in stream.of("price") if event.get("price") is not None]


def ids(stream: EventStream, kind: str) -> list[str]:
    return [event["event_id"] for event in stream.of(kind)]


async def status_of(client: httpx.AsyncClient, url: str) -> Any:
    """Return the only gateway's report."""
    [gateway] = (await client.get(f"{url}/api/stream/status")).json()["gateways"]
    return gateway


async def lead(ingest: IngestStub, epoch: int) -> None:
    """Take the lease, as its script does."""
    await ingest.client.set(KEYSPACE.epoch, epoch)


class TestOwnIds:
    def test_every_id_is_accepted_until_a_lease_is_known(self) -> None:
        assert OwnIds().accepts(EventId(FUTURE, 1))

    def test_the_ids_of_the_lease_and_of_those_before_it_are_ours(self) -> None:
        ids = OwnIds()
        ids.on_lease(5, NEVER)
        ids.on_lease(9, EventId(5, 70))

        assert all(ids.accepts(EventId(epoch, 1)) for epoch in (5, 9))
        assert not any(ids.accepts(EventId(epoch, 1)) for epoch in (4, 6, 10, FUTURE))

    def test_a_stored_id_may_be_of_any_leader_before(self) -> None:
        ids = OwnIds()
        ids.on_lease(9, NEVER)

        assert ids.accepts(EventId(6, 1), stored=True)
        assert not ids.accepts(EventId(10, 1), stored=True)

    def test_the_count_within_an_epoch_may_not_run_far_ahead(self) -> None:
        ids = OwnIds()
        ids.on_lease(9, EventId(9, 500))

        assert ids.accepts(EventId(9, 500 + AHEAD))
        assert not ids.accepts(EventId(9, 501 + AHEAD))
        ids.on_lease(9, EventId(9, 501))
        assert ids.accepts(EventId(9, 501 + AHEAD))

    def test_a_position_is_beyond_if_its_epoch_is_newer_than_the_lease(self) -> None:
        ids = OwnIds()
        assert not ids.is_beyond(EventId(FUTURE, 1))
        ids.on_lease(9, NEVER)

        assert ids.is_beyond(EventId(10, 1))
        assert not ids.is_beyond(EventId(9, 1 << 40))


class TestForeignData:
    def test_the_first_of_a_series_is_logged_and_an_alarm_stands_for_a_while(self) -> None:
        now = 0.0
        foreign = ForeignData(monotonic=lambda: now)
        assert foreign.alarms == []
        with capture_logs() as lines:
            for _ in range(3):
                foreign.reject(b"price:SPY", EventId(FUTURE, 2))

        assert [(line["event"], line["topic"]) for line in lines] == [
            ("foreign_data_rejected", "price:SPY")
        ]
        [alarm] = foreign.alarms
        assert (alarm.code, foreign.rejected) == ("foreign_data", 3)
        assert "REDIS_NAMESPACE" in alarm.text
        now = foreign_data.ALARM_SECONDS
        assert foreign.alarms == []

    def test_the_log_names_no_held_symbol(self) -> None:
        with capture_logs() as lines:
            ForeignData().reject(b"position:SPY", EventId(FUTURE, 2))

        assert lines[0]["topic"] == "position"


@asynccontextmanager
async def watching(
    source: RedisSource, *topics: str
) -> AsyncIterator[tuple[IngestStub, str, Hub, EventStream]]:
    """A gateway of a leading ingest, with a stream that is live."""
    async with ingest_stub(source) as ingest:
        await lead(ingest, OURS)
        async with (
            gateway_with_hub(source) as (url, hub),
            open_stream(url, "/api/stream", topics=",".join(topics), interval="0") as stream,
        ):
            await stream.until_kind("ready")
            await ingest.report(1, epoch=OURS)
            await ingest.publish(2, epoch=OURS)
            await stream.until(lambda s: f"{OURS}-2" in prices(s))
            yield ingest, url, hub, stream


async def test_a_gateway_that_starts_before_the_first_ingest_learns_its_lease_from_an_event(
    source: RedisSource,
) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source) as (url, hub),
        open_stream(url, "/api/stream", topics="price:SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await lead(ingest, OURS)
        await ingest.publish(2, epoch=OURS)
        await until(lambda: hub.own_ids.first_epoch == OURS)
        await ingest.publish(3, epoch=FUTURE)
        await ingest.publish(4, epoch=OURS)
        await stream.until(lambda s: f"{OURS}-4" in prices(s))

    assert f"{FUTURE}-3" not in prices(stream)


@pytest.mark.parametrize(
    "forged", [EventId(FUTURE, 2), EventId(FOREIGN, 9), EventId(OURS, 10 * AHEAD)], ids=str
)
async def test_a_message_that_our_ingest_did_not_send_is_rejected_and_reported(
    any_source: RedisSource, forged: EventId
) -> None:
    async with watching(any_source, "price:SPY", "price:IBM") as (ingest, url, hub, stream):
        with capture_logs() as lines:
            # IBM has no value yet, so nothing but the id tells that this one is not ours.
            for symbol in ("SPY", "IBM"):
                packed = ingest.packed(forged.seq, symbol, forged.epoch)
                await ingest.client.publish(f"price:{symbol}", packed)
            async with httpx.AsyncClient() as client:

                async def both_rejected() -> bool:
                    return bool((await status_of(client, url))["foreign"] == 2)

                await until(both_rejected)
                gateway = await status_of(client, url)
        await ingest.publish(3, epoch=OURS)
        await stream.until(lambda s: f"{OURS}-3" in prices(s))
        assert hub.newest == EventId(OURS, 3)

    assert prices(stream) == [f"{OURS}-2", f"{OURS}-3"]
    assert [line["event"] for line in lines].count("foreign_data_rejected") == 1
    assert [alarm["code"] for alarm in gateway["alarms"]] == ["foreign_data"]


async def test_a_report_that_our_ingest_did_not_send_changes_no_feed(
    any_source: RedisSource,
) -> None:
    async with watching(any_source, "price:SPY") as (ingest, _, _, stream):
        stored: Any = await ingest.client.get(KEYSPACE.ingest_status)
        await ingest.report(1, "connecting", epoch=FUTURE)
        await ingest.client.set(KEYSPACE.ingest_status, stored)
        await ingest.report(4, "reconnecting", epoch=OURS)
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "reconnecting")

    assert "connecting" not in [feed["state"] for feed in stream.of("feed")]


async def test_no_event_of_a_new_leader_is_lost_while_its_lease_is_read(
    any_source: RedisSource,
) -> None:
    new = OURS + 5
    async with watching(any_source, "price:SPY", TRADES) as (ingest, _, _, stream):
        await ingest.tell(3, TRADES, PRINT, epoch=OURS)
        await lead(ingest, new)
        for seq in range(1, 30):
            await ingest.tell(seq, TRADES, PRINT, epoch=new)
        await stream.until(lambda s: ids(s, "trade")[-1:] == [f"{new}-29"])

    assert ids(stream, "trade") == [f"{OURS}-3", *(f"{new}-{seq}" for seq in range(1, 30))]
    assert stream.of("gap") == []


async def test_a_stored_value_and_a_history_entry_from_the_future_are_not_shown(
    any_source: RedisSource,
) -> None:
    async with watching(any_source, "price:SPY") as (ingest, url, _, _):
        await ingest.store(2, "IBM", epoch=FUTURE)
        await ingest.tell(2, TRADES, PRINT, epoch=FUTURE)
        async with open_stream(url, "/api/stream", topics=f"price:IBM,{TRADES}") as stream:
            await stream.until_kind("ready")
            await ingest.publish(3, "IBM", epoch=OURS)
            await ingest.client.delete(KEYSPACE.history(TRADES))
            await ingest.tell(4, TRADES, PRINT, epoch=OURS)
            await stream.until(lambda s: bool(s.of("trade") and prices(s)))

    assert prices(stream) == [f"{OURS}-3"]
    assert ids(stream, "trade") == [f"{OURS}-4"]


@pytest.fixture
def soon_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_watch, "BEHIND_SECONDS", 0.3)


async def test_a_gateway_follows_a_lease_that_went_back_with_a_gap_and_new_values(
    any_source: RedisSource, soon_behind: None
) -> None:
    """Redis' clock was ahead, and Redis has lost its data since."""
    async with watching(any_source, "price:SPY", TRADES) as (ingest, url, hub, stream):
        await ingest.tell(3, TRADES, PRINT, epoch=OURS)
        await stream.until(lambda s: bool(s.of("trade")))
        earlier = OURS - 600_000
        await ingest.client.flushall()
        await lead(ingest, earlier)
        seq = 0

        async def started_over() -> bool:
            nonlocal seq
            seq += 1
            await ingest.report(seq, epoch=earlier)
            return bool(stream.of("gap"))

        with capture_logs() as lines:
            await until(started_over)
        await until(lambda: hub.newest.epoch <= earlier and not hub.own_ids.is_beyond(hub.newest))
        await ingest.publish(1000, epoch=earlier)
        await stream.until(lambda s: f"{earlier}-1000" in prices(s))
        await ingest.tell(1001, TRADES, PRINT, epoch=earlier)
        await stream.until(lambda s: len(s.of("trade")) == 2)
        await ingest.report(1002, epoch=earlier)
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "live")
        cursor = f"{OURS}-3"
        async with open_stream(url, "/api/stream", topics=TRADES, last_event_id=cursor) as again:
            await again.until_kind("ready")
            await again.until(lambda s: bool(s.of("gap")))

    assert sum(line["event"] == "gateway_starts_over" for line in lines) == 1
    gaps = {tuple(gap["topics"]): gap["reason"] for gap in stream.of("gap")}
    assert gaps == {(topic,): "started_over" for topic in ("price:SPY", TRADES)}
    assert not stream.ended
    assert again.of("trade") == []


async def test_a_lease_that_is_back_soon_changes_nothing(source: RedisSource) -> None:
    now = 0.0
    hub = Hub(
        asyncio.get_running_loop(), flush_interval=0.0, clock=time.time, retry_ms=lambda: 1000
    )
    async with source.client("test") as client:
        watch = lease_watch.LeaseWatch(client, KEYSPACE, hub, monotonic=lambda: now)
        found = []
        for moment, epoch in ((0, 9), (1, 8), (3, 8), (4, 9), (5, 8), (60, 8), (62, 8), (63, 8)):
            now = moment
            await client.set(KEYSPACE.epoch, epoch)
            await watch.read()
            found.append((watch.is_behind, watch.is_behind_for_long))

    behind, long = (True, False), (True, True)
    fine = (False, False)
    assert found == [fine, behind, behind, fine, behind, behind, behind, long]


async def test_a_position_and_an_account_from_the_future_are_not_in_the_table(
    any_source: RedisSource,
) -> None:
    async with watching(any_source, "price:SPY") as (ingest, url, _, _):
        stub = PortfolioStub(ingest.client)
        stub.epoch = OURS
        await stub.position(1, "SPY", qty=1, heard=False)
        await stub.account(3, "SPY", "IBM", heard=False)
        stub.epoch = FUTURE
        await stub.position(1, "IBM", qty=7, heard=False)
        async with open_stream(url, "/api/stream/positions", interval="0") as stream:
            await stream.until_kind("ready")
            await stub.account(5, heard=False)  # it would close both
            async with open_stream(url, "/api/stream/positions", interval="0") as second:
                await second.until_kind("ready")
            stub.epoch = OURS
            await stub.position(7, "IBM", qty=2)
            await stream.until(lambda s: s.of("position")[-1]["symbol"] == "IBM")
        async with httpx.AsyncClient() as client:
            assert (await status_of(client, url))["foreign"] > 0

    found = [(each["symbol"], each["qty"], each["removed"]) for each in stream.of("position")]
    assert found == [("SPY", 1.0, False), ("IBM", 2.0, False)]
    assert [each["symbol"] for each in second.of("position")] == ["SPY"]


@pytest.mark.parametrize("counter", ["mine", "-7", "1e400", "9" * 16, "9" * 5_000])
async def test_a_counter_that_no_leader_wrote_is_taken_for_none(
    any_source: RedisSource, counter: str
) -> None:
    hub = Hub(
        asyncio.get_running_loop(), flush_interval=0.0, clock=time.time, retry_ms=lambda: 1000
    )
    async with any_source.client("test") as client:
        watch = lease_watch.LeaseWatch(client, KEYSPACE, hub)
        await client.set(KEYSPACE.epoch, OURS)
        await watch.read()
        await client.set(KEYSPACE.epoch, counter)
        await watch.read()

    assert hub.own_ids.epoch == OURS
    assert not watch.is_behind
    assert not hub.own_ids.accepts(EventId(FUTURE, 1))


async def test_an_id_above_the_lease_is_neither_written_back_nor_stays(
    any_source: RedisSource,
) -> None:
    ahead, ours = Channel("price:IBM"), Channel("price:SPY")
    ahead.apply(EventId(FUTURE, 1), b'{"event_id":"x"}')
    ours.apply(EventId(OURS, 1), b'{"event_id":"y"}')
    async with any_source.client("test") as client:
        await client.set(KEYSPACE.epoch, OURS)
        await client.set(KEYSPACE.last("price:SPY"), b"%d-5\n{}" % FUTURE)
        await LastValues(client, KEYSPACE, MalformedData()).write_back([ahead, ours])

        assert await client.get(KEYSPACE.last("price:IBM")) is None
        assert await client.get(KEYSPACE.last("price:SPY")) == b'%d-1\n{"event_id":"y"}' % OURS
