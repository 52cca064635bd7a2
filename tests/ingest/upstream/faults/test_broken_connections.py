"""Connections that break, and data that makes no sense: all that can go on goes on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ingest.upstream import stream_holder
from shared.bus.redis_source import RedisSource
from shared.ingest_status import IngestStatus
from simulator.faults.catalogue import Faults
from simulator.faults.odd_frames import odd_frames
from simulator.protocol.subscription import IEX
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.upstream.faults.ticks import is_status, sessions, ticks_again
from tests.ingest.watching import Watcher, relay, trade, until_subscribed, watcher
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

BREAKS: dict[str, Callable[[Faults], Any]] = {
    "reset": lambda faults: faults.reset("iex"),
    "fin": lambda faults: faults.fin("iex"),
    "close": lambda faults: faults.close("iex", code=1012),
    "slow client, with warning": lambda faults: faults.error("iex", code=407),
    "slow client, no message": lambda faults: faults.close("iex", code=1008),
    "internal error": lambda faults: faults.error("iex", code=500, close=True),
    "an error without a close": lambda faults: faults.error("iex", code=500, close=False),
    "not authenticated": lambda faults: faults.error("iex", code=401, close=False),
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
async def test_a_broken_connection_is_replaced_and_everything_subscribed_again(
    upstream: tuple[Simulator, Watcher], fault: Callable[[Faults], Any]
) -> None:
    simulator, watching = upstream
    fault(simulator.faults)

    async def replaced() -> bool:
        return await sessions(simulator) == 2

    await until(replaced)
    await ticks_again(simulator, watching, 101)
    assert endpoint_state(simulator)["sessions_peak"] == 1


SPY = {"T": "t", "S": "SPY", "p": 102, "s": 100, "z": "B"}

OUTLIVED: dict[str, Callable[[Faults], Any]] = {
    "garbage": lambda faults: faults.garbage("iex"),
    "text": lambda faults: faults.send_text("iex", '[{"T":"success"}]'),
    "no array": lambda faults: faults.no_array("iex"),
    "an unknown type": lambda faults: faults.unknown_type("iex", messages=[SPY]),
    "a malformed message": lambda faults: faults.malformed("iex", messages=[SPY, SPY]),
    "extra fields": lambda faults: faults.send_messages("iex", [{**SPY, "new": {"a": [1]}}]),
    "two megabytes": lambda faults: faults.huge("iex", messages=[SPY]),
    "already authenticated": lambda faults: faults.error("iex", code=403, close=False),
}


@pytest.mark.parametrize("fault", OUTLIVED.values(), ids=OUTLIVED)
async def test_what_makes_no_sense_ends_nothing(
    upstream: tuple[Simulator, Watcher], fault: Callable[[Faults], Any]
) -> None:
    simulator, watching = upstream
    fault(simulator.faults)
    await ticks_again(simulator, watching, 103)

    assert await sessions(simulator) == 1


ENDED_THE_INGEST = [
    bytes.fromhex("9182a154a17aa174c70cff000000000000003afff44180"),
    bytes.fromhex(
        "9188a154a171a153a3535059a26270cb3ff0000000000000a2627301a26170cb3ff199999999999aa2617301"
        "a163c0a174c70cff000000007fffffffffffffff"
    ),
    b"\x91" * 1000 + b"\xc0",
]
"""An unknown type with a time after year 9999; a quote at 2^63 - 1 s; 1,000 nested arrays."""


async def test_odd_frames_end_nothing_and_raise_an_alarm_with_the_first_problem(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await watching.watch("SPY", kind="quote")
    await until(lambda: endpoint_state(simulator)["quotes"] == ["SPY"])
    for frame in ENDED_THE_INGEST:
        simulator.faults.send("iex", frame)
    for feed in ("iex", "account"):
        for kind in odd_frames(feed):
            simulator.faults.odd_frame(feed, kind=kind, symbol="SPY")
    await ticks_again(simulator, watching, 103)

    def has_alarms(status: IngestStatus) -> bool:
        texts = [alarm.text for alarm in status.alarms if alarm.code == "malformed"]
        return any("stocks" in text and "years 1 to 9999" in text for text in texts) and any(
            "account" in text for text in texts
        )

    await until(lambda: is_status(watching, has_alarms))
    status = await watching.status()
    assert status is not None
    assert status.malformed["stocks"] == status.tape.malformed > len(ENDED_THE_INGEST)
    assert await sessions(simulator) == 1
    assert endpoint_state(simulator, "account")["sessions_total"] == 1


async def test_late_data_of_symbols_that_are_not_subscribed_is_counted_and_goes_nowhere(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    simulator.faults.send_messages("iex", [{**SPY, "S": "IBM"}, SPY])
    await watching.until_price("SPY", 102)

    assert await watching.last("IBM") is None
    status = await watching.status()
    assert status is not None
    await until(lambda: is_status(watching, lambda status: status.tape.unsubscribed == 1))


async def test_an_unanswered_change_is_a_reason_to_reconnect(
    upstream: tuple[Simulator, Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_holder, "SUBSCRIPTION_ANSWER_SECONDS", 0.3)
    simulator, watching = upstream
    simulator.faults.ignore_subscribe("iex", count=1)
    await watching.watch("SPY", "IBM")

    await until_subscribed(simulator, "IBM", "SPY")
    assert await sessions(simulator) == 2


@pytest.mark.parametrize("code", [400, 405])
async def test_a_refused_change_leaves_the_connection_and_the_others_alone(
    upstream: tuple[Simulator, Watcher], code: int
) -> None:
    simulator, watching = upstream
    simulator.faults.refuse_subscribe("iex", code=code, count=1)
    await watching.watch("SPY", "IBM", "BAC")
    await ticks_again_of(simulator, watching)

    assert await sessions(simulator) == 1


async def ticks_again_of(simulator: Simulator, watching: Watcher) -> None:
    await until(lambda: "SPY" in endpoint_state(simulator)["subscriptions"])
    await trade(simulator, "SPY", 104)
    await watching.until_price("SPY", 104)


async def test_a_feed_without_statuses_goes_on_without_them(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = replace(IEX, acknowledged=("trades", "quotes", "bars"))
    monkeypatch.setattr("simulator.settings.IEX", without)
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until(lambda: endpoint_state(simulator)["refused"] == {"410": 1})
        await ticks_again(simulator, watching, 50)

        assert await sessions(simulator) == 1


async def test_a_plan_without_news_stops_the_news_and_not_the_prices(source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("news", code=409, count=100)
        async with running_ingest(source, simulator):
            await trade(simulator, "SPY", 105)
            await watching.watch("*", kind="news")
            await watching.watch("SPY")
            await until(
                lambda: is_status(
                    watching,
                    lambda status: (
                        {s.name: s.state for s in status.streams}
                        == {"stocks": "live", "news": "failed", "account": "live"}
                    ),
                )
            )
            await ticks_again(simulator, watching, 106)

            status = await watching.status()
            assert status is not None
            assert [alarm.code for alarm in status.alarms] == ["stream_failed"]


async def test_a_failed_stock_stream_does_not_stop_the_news(source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        async with running_ingest(source, simulator):
            await watching.watch("*", kind="news")
            await until(lambda: endpoint_state(simulator, "news")["sessions"] == 1)
            simulator.faults.error("iex", code=402)
            await watching.until_state("failed")
            await simulator.publish({"T": "n", "id": 1, "headline": "x", "symbols": ["SPY"]})

            async def told() -> bool:
                return await watching.client.exists("{news:*}:history") == 1

            await until(told)
        assert endpoint_state(simulator, "news")["sessions_total"] == 1
