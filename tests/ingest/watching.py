"""A gateway's side of Redis, by hand: its claims, and the ingest's events."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from ingest.service import IngestService
from shared import ingest_status, message
from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from shared.ingest_status import IngestStatus
from simulator.service import Simulator, SimulatorSettings
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state


class Watcher:
    """Claims interest like a gateway and reads the published events."""

    def __init__(self, client: Redis, name: str = "gateway-1") -> None:
        self.client = client
        self._name = name

    async def watch(self, *symbols: str, kind: str = "price", viewers: int = 1) -> None:
        """Claim interest for a minute and nudge the ingest."""
        claim = f"{(time.time() + 60) * 1000:.0f} {viewers}"
        claims: dict[Any, Any] = {f"{self._name} {kind}:{symbol}": claim for symbol in symbols}
        await self.client.hset(KEYSPACE.interest, mapping=claims)
        await self.client.publish(KEYSPACE.interest_channel, "changed")

    async def leave(self, *symbols: str, kind: str = "price") -> None:
        """Take the claims back."""
        await self.client.hdel(
            KEYSPACE.interest, *(f"{self._name} {kind}:{each}" for each in symbols)
        )
        await self.client.publish(KEYSPACE.interest_channel, "changed")

    async def status(self) -> IngestStatus | None:
        """Return what the ingest has said last, unless it has expired."""
        stored = await self.client.get(KEYSPACE.ingest_status)
        return None if stored is None else ingest_status.decode(stored)

    async def until_state(self, state: str) -> IngestStatus:
        """Wait until the ingest says that its feed is in a state."""

        async def is_so() -> bool:
            status = await self.status()
            return status is not None and status.state == state

        await until(is_so)
        status = await self.status()
        assert status is not None
        return status

    async def last(self, symbol: str, kind: str = "price") -> tuple[EventId, dict[str, Any]] | None:
        """Return a symbol's last value of a kind with its id."""
        stored = await self.client.get(KEYSPACE.last(f"{kind}:{symbol}"))
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        event_id, body, _ = message.unpack(stored)
        return event_id, json.loads(body)

    async def price(self, symbol: str) -> float | None:
        """Return a symbol's last price."""
        last = await self.last(symbol)
        return None if last is None else last[1]["price"]

    async def until_symbol(self, symbol: str, state: str) -> dict[str, Any]:
        """Wait until a symbol's status is in a state; return it."""

        async def is_so() -> bool:
            last = await self.last(symbol, "status")
            return last is not None and last[1]["state"] == state

        await until(is_so)
        last = await self.last(symbol, "status")
        assert last is not None
        return last[1]

    async def history(self, topic: str) -> list[tuple[str | None, dict[str, Any]]]:
        """Return what the history of an ordered topic holds: the event's name, if any, and data."""
        entries: Any = await self.client.xrange(KEYSPACE.history(topic))
        return [
            ((fields.get(b"event") or b"").decode() or None, json.loads(fields[b"data"]))
            for _, fields in entries
        ]

    async def bars(self, topic: str) -> dict[int, dict[str, Any]]:
        """Return the stored bars of a topic by their starts (unix s)."""
        members: Any = await self.client.zrange(KEYSPACE.bars(topic), 0, -1, withscores=True)
        return {int(start): json.loads(message.unpack(each).body) for each, start in members}

    async def until_day_high(self, symbol: str, high: float) -> None:
        """Wait until the newest bar of the day has a high."""

        async def is_so() -> bool:
            days = await self.bars(f"bar.1Day:{symbol}")
            return bool(days) and days[max(days)]["high"] == high

        await until(is_so)

    async def until_unknown(self, symbol: str) -> None:
        """Wait until a symbol's price says that Alpaca does not know it."""

        async def is_so() -> bool:
            last = await self.last(symbol)
            return last is not None and last[1]["reason"] == "unknown_symbol"

        await until(is_so)
        assert await self.price(symbol) is None

    async def until_price(self, symbol: str, price: float) -> None:
        """Wait until a symbol's last price is this."""

        async def is_so() -> bool:
            return await self.price(symbol) == price

        await until(is_so)


def subscribed(simulator: Simulator) -> list[str]:
    """Return what the simulator's sessions are subscribed to."""
    found: list[str] = endpoint_state(simulator)["subscriptions"]
    return found


async def until_subscribed(simulator: Simulator, *symbols: str) -> None:
    """Wait until exactly these symbols are subscribed."""
    await until(lambda: subscribed(simulator) == sorted(symbols))


async def trade(simulator: Simulator, symbol: str, price: float, **fields: Any) -> None:
    """Have a trade happen now."""
    await simulator.publish({"T": "t", "S": symbol, "p": price, "s": 100, "z": "B", **fields})


@asynccontextmanager
async def watcher(source: RedisSource, name: str = "gateway-1") -> AsyncIterator[Watcher]:
    """Watch, over a client of one's own."""
    async with source.client("watcher") as client:
        yield Watcher(client, name)


@asynccontextmanager
async def relay(
    source: RedisSource, simulated: SimulatorSettings | None = None, **settings: Any
) -> AsyncIterator[tuple[Simulator, Watcher, IngestService]]:
    """Run a simulator without a tape and an ingest that leads and is connected."""
    async with (
        Simulator(simulated or SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        running_ingest(source, simulator, **settings) as service,
    ):
        await watching.until_state("live")
        yield simulator, watching, service
