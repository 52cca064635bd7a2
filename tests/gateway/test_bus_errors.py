"""Everything that a gateway reads from Redis on request fails with an error of our own."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from gateway.bus.bar_history import BarHistory
from gateway.bus.gateway_report import GatewayReport
from gateway.bus.history import History
from gateway.bus.last_values import LastValues
from gateway.bus.malformed import MalformedData
from gateway.bus.older_bars import BarQuery
from gateway.bus.positions import Positions
from gateway.bus.reports import Reports
from gateway.bus.tickets import TicketStore
from gateway.fanout.channel import Channel
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.wire.principal import Principal
from shared.bus.errors import BusRejectedError, BusUnreachableError
from shared.bus.redis_source import RedisSource
from shared.event_id import NEVER, EventId
from tests.gateway.fakes import packed
from tests.keyspace import KEYSPACE

UNREACHABLE = RedisSource("redis://127.0.0.1:1")
MALFORMED = MalformedData()


def any_id(_topic: bytes, _id: EventId) -> bool:
    return True


ANN = Principal("ann")
REPORT = GatewayReport(
    gateway_id="g",
    clients=0,
    topics=0,
    stalled=0,
    refused=0,
    busy=0,
    lag_ms=None,
    started="2013-10-09T13:30:00Z",
)


def shown() -> Channel:
    """Return a channel with a value, which has something to write back."""
    channel = Channel("price:SPY")
    event_id, _, payload = packed(1).partition(b"\n")
    channel.apply(EventId.parse(event_id), payload)
    return channel


CALLS: dict[str, Callable[[Redis], Awaitable[object]]] = {
    "issue a ticket": lambda client: TicketStore(client, KEYSPACE, MALFORMED).issue(ANN),
    "redeem a ticket": lambda client: TicketStore(client, KEYSPACE, MALFORMED).redeem("t"),
    "look up a ticket": lambda client: TicketStore(client, KEYSPACE, MALFORMED).look_up("t" * 32),
    "read last values": lambda client: LastValues(client, KEYSPACE, MALFORMED).read(["price:SPY"]),
    "write back": lambda client: LastValues(client, KEYSPACE, MALFORMED).write_back([shown()]),
    "read bars": lambda client: BarHistory(client, KEYSPACE, MALFORMED).read(
        BarQuery("1Min", ("SPY",), None, None, 1, "split")
    ),
    "read positions": lambda client: Positions(client, KEYSPACE, MALFORMED, any_id).read(["SPY"]),
    "read histories": lambda client: History(client, KEYSPACE, MALFORMED).fillings(
        [OrderedChannel("trade:SPY")], NEVER
    ),
    "store a report": lambda client: Reports(client, KEYSPACE, MALFORMED).store(REPORT),
    "read the gateways": lambda client: Reports(client, KEYSPACE, MALFORMED).gateways(),
    "read the ingest": lambda client: Reports(client, KEYSPACE, MALFORMED).ingest(),
}
WRITES = ("issue a ticket", "write back", "store a report")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_unreachable_redis_raises_our_error(
    call: Callable[[Redis], Awaitable[object]],
) -> None:
    async with UNREACHABLE.client("test") as client:
        with pytest.raises(BusUnreachableError):
            await call(client)


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_redis_rejects_raises_our_error(name: str, source: RedisSource) -> None:
    async with source.client("test") as client:
        await client.config_set("maxmemory", 1)
        try:
            with pytest.raises(BusRejectedError):
                await CALLS[name](client)
        finally:
            await client.config_set("maxmemory", 0)
