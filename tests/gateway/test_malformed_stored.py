"""Values in Redis that are no text, or lack a field: each counts as none, others are read."""

import hashlib

import httpx
import msgspec

from gateway.bus.malformed import MalformedData
from gateway.bus.reports import Reports
from gateway.bus.tickets import TicketStore
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until

FOREIGN = [b"\xff", b'{"principal":"\xff"}', b'{"gateway_id":"\xff"}', b"[]", b"{}", b"", b"1"]


async def test_a_ticket_that_cannot_be_read_is_none(source: RedisSource) -> None:
    async with source.client("test") as client:
        store = TicketStore(client, KEYSPACE, malformed := MalformedData())
        key = KEYSPACE.ticket(hashlib.sha256(b"abc").hexdigest())
        for value in FOREIGN:
            await client.set(key, value)
            assert await store.look_up("abc") is None
            assert await store.redeem("abc") is None
        assert malformed.count == len(FOREIGN)


async def test_a_report_that_cannot_be_read_hides_no_other(source: RedisSource) -> None:
    async with source.client("test") as client:
        reports = Reports(client, KEYSPACE, malformed := MalformedData())
        for number, value in enumerate(FOREIGN):
            await client.set(KEYSPACE.gateway(f"foreign{number}"), value)
        ours: dict[str, object] = {
            "gateway_id": "ours",
            **dict.fromkeys(("clients", "topics", "stalled", "refused", "busy"), 0),
            "unauthorized": 0,
            "tasks": 0,
            "foreign": 0,
            "malformed": 0,
            "alarms": [],
            "lag_ms": None,
            "started": "2026-11-16T17:00:00Z",
        }
        await client.set(KEYSPACE.gateway("ours"), msgspec.json.encode(ours))

        assert [each.gateway_id for each in await reports.gateways()] == ["ours"]
        assert malformed.count == len(FOREIGN)


async def test_a_gateway_reports_the_number_of_all_contents_that_it_could_not_read(
    source: RedisSource,
) -> None:
    trades = KEYSPACE.history("trade:SPY")
    bars = [KEYSPACE.bars(f"bar.1Min:{symbol}") for symbol in ("SPY", "IBM")]
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        client = ingest.client

        async def count() -> int:
            [gateway] = (await http.get("/api/stream/status")).json()["gateways"]
            return int(gateway["malformed"])

        counts = [await count()]
        await client.set(KEYSPACE.last("price:SPY"), b"no message")
        assert (await http.get("/api/prices?symbols=SPY")).status_code == 200
        counts.append(await count())
        await client.zadd(bars[0], {"1-1\nno json": 1})
        await client.set(bars[1], "of another type")
        assert (await http.get("/api/bars?symbols=SPY,IBM")).status_code == 200
        counts.append(await count())
        await client.set(trades, "of another type")
        async with open_stream(url, "/api/stream", topics="trade:SPY") as stream:
            await stream.until_kind("ready")
            counts.append(await count())
            await client.publish("trade:SPY", b"no message")

            async def counted() -> bool:
                return await count() == 5

            await until(counted)

    assert counts == [0, 1, 3, 4]
