"""Imbalances from Alpaca's bytes to a client: each once, resumable, and a loss is a gap."""

from typing import Any

import pytest

from ingest.bus import history_gaps
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.services import running_gateway, running_ingest, until
from tests.simulator.client import endpoint_state

# Alpaca's own example, from https://docs.alpaca.markets/docs/real-time-stock-pricing-data
EXAMPLE = {"T": "i", "S": "INAQU", "p": 9.12, "z": "C", "t": "2024-12-13T19:58:09.242138635Z"}
TOPIC = "imbalance:INAQU"


def prices(stream: EventStream) -> list[float]:
    return [each["price"] for each in stream.of("imbalance")]


def simulated() -> Simulator:
    return Simulator(SimulatorSettings(tape=None, positions=()))


async def until_subscribed(simulator: Simulator, *symbols: str) -> None:
    await until(lambda: endpoint_state(simulator)["imbalances"] == list(symbols))


async def imbalance(simulator: Simulator, price: float, **fields: Any) -> None:
    await simulator.publish({**EXAMPLE, "p": price, **fields})


async def test_each_imbalance_reaches_a_client_once_and_a_resumed_stream_continues(
    source: RedisSource,
) -> None:
    async with (
        simulated() as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=TOPIC),  # the topic stays watched
    ):
        async with open_stream(url, "/api/stream", topics=TOPIC) as stream:
            await stream.until_kind("ready")
            await until_subscribed(simulator, "INAQU")
            assert endpoint_state(simulator)["subscriptions"] == [], "it needs no trades"
            for price in (9.12, 9.12, 9.25):
                await imbalance(simulator, price)
            await stream.until_kind("imbalance", 2)
            first = stream.of("imbalance")[0]
            assert first.pop("received") > 0
            assert first.pop("event_id")
            assert first == {
                "symbol": "INAQU",
                "price": 9.12,
                "tape": "C",
                "timestamp": "2024-12-13T19:58:09.242138635Z",
            }
            cursor = next(event.id for event in stream.events if event.kind == "imbalance")
        await imbalance(simulator, 9.5)
        async with open_stream(url, "/api/stream", topics=TOPIC, last_event_id=cursor) as resumed:
            await resumed.until_kind("imbalance", 2)
            await imbalance(simulator, 9.75)
            await resumed.until_kind("imbalance", 3)

            assert prices(resumed) == [9.25, 9.5, 9.75]
            assert resumed.of("gap") == []
    assert prices(stream) == [9.12, 9.25]


async def test_a_lost_connection_is_a_gap_before_the_imbalances_that_follow_it(
    source: RedisSource,
) -> None:
    async with (
        simulated() as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=TOPIC) as stream,
    ):
        await until_subscribed(simulator, "INAQU")
        await imbalance(simulator, 9.12)
        await stream.until_kind("imbalance")
        simulator.faults.reset()
        await stream.until_kind("gap")
        await until_subscribed(simulator, "INAQU")
        await imbalance(simulator, 9.25)
        await stream.until_kind("imbalance", 2)

        kinds = [event.kind for event in stream.events if event.kind in ("imbalance", "gap")]
        assert kinds == ["imbalance", "gap", "imbalance"]
        [gap] = stream.of("gap")
        assert (gap["topics"], gap["reason"]) == ([TOPIC], "upstream_lost")
        assert gap["from"] <= gap["to"]


async def test_what_falls_between_two_leaders_is_a_gap(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_gaps, "FOLLOW_SECONDS", 0.05)
    async with (
        simulated() as simulator,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=TOPIC) as stream,
    ):
        async with running_ingest(source, simulator):
            await until_subscribed(simulator, "INAQU")
            await imbalance(simulator, 9.12)
            await stream.until_kind("imbalance")
        await imbalance(simulator, 9.2)
        async with running_ingest(source, simulator):
            await until_subscribed(simulator, "INAQU")
            await stream.until(lambda s: any(g["reason"] == "not_recorded" for g in s.of("gap")))
            await imbalance(simulator, 9.25)
            await stream.until_kind("imbalance", 2)

    assert prices(stream) == [9.12, 9.25]
    gap = next(each for each in stream.of("gap") if each["reason"] == "not_recorded")
    assert (gap["topics"], gap["from"]) == ([TOPIC], EXAMPLE["t"])


async def test_an_imbalance_that_cannot_be_read_costs_neither_the_next_one_nor_a_price(
    source: RedisSource,
) -> None:
    async with (
        simulated() as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=f"{TOPIC},price:INAQU") as stream,
    ):
        await until_subscribed(simulator, "INAQU")
        await until(lambda: endpoint_state(simulator)["subscriptions"] == ["INAQU"])
        await simulator.publish({**EXAMPLE, "p": "high"})
        await imbalance(simulator, 9.25)
        await simulator.publish({"T": "t", "S": "INAQU", "p": 9.5, "s": 100, "z": "C"})
        await stream.until_kind("imbalance")
        await stream.until(lambda s: s.of("price")[-1]["price"] == 9.5)

        assert prices(stream) == [9.25]
