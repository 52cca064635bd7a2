"""Values in Redis that are no text, or lack a field: each counts as none, others are read."""

import hashlib

import msgspec

from gateway.bus.reports import Reports
from gateway.bus.tickets import TicketStore
from shared.bus.redis_source import RedisSource
from tests.keyspace import KEYSPACE

FOREIGN = [b"\xff", b'{"principal":"\xff"}', b'{"gateway_id":"\xff"}', b"[]", b"{}", b"", b"1"]


async def test_a_ticket_that_cannot_be_read_is_none(source: RedisSource) -> None:
    async with source.client("test") as client:
        store = TicketStore(client, KEYSPACE)
        key = KEYSPACE.ticket(hashlib.sha256(b"abc").hexdigest())
        for value in FOREIGN:
            await client.set(key, value)
            assert await store.look_up("abc") is None
            assert await store.redeem("abc") is None


async def test_a_report_that_cannot_be_read_hides_no_other(source: RedisSource) -> None:
    async with source.client("test") as client:
        reports = Reports(client, KEYSPACE)
        for number, value in enumerate(FOREIGN):
            await client.set(KEYSPACE.gateway(f"foreign{number}"), value)
        ours: dict[str, object] = {
            "gateway_id": "ours",
            **dict.fromkeys(("clients", "topics", "stalled", "refused", "busy"), 0),
            "unauthorized": 0,
            "tasks": 0,
            "foreign": 0,
            "alarms": [],
            "lag_ms": None,
            "started": "2026-11-16T17:00:00Z",
        }
        await client.set(KEYSPACE.gateway("ours"), msgspec.json.encode(ours))

        assert [each.gateway_id for each in await reports.gateways()] == ["ours"]
