"""Faults of Alpaca's connection: the ingest recovers if waiting helps, and reports the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ingest.market import rest_lead, stream_silence
from ingest.upstream import mute_stream, stock_handler, stream_holder, suspected_losses
from ingest.upstream.upstream_error import UpstreamError
from shared.bus.redis_source import RedisSource
from shared.ingest_status import IngestStatus
from simulator.faults.catalogue import Faults
from simulator.faults.odd_frames import odd_frames
from simulator.protocol.subscription import IEX
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from tests.ingest.pace import at_once, no_bars_streamed, patient_for
from tests.ingest.watching import Watcher, relay, trade, until_subscribed, watcher
from tests.limits import LIMIT_SECONDS
from tests.services import ingest_service, running_ingest, until
from tests.simulator.client import StreamClient, endpoint_state, open_stream

TERMINAL = [402, 408, 409, 410, 411, 412, 413]
MENDED = [400, 401, 404, 405, 406, 407, 500]


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests wait for the next attempt, not for its delay."""
    at_once(monkeypatch)


@pytest.fixture
def _no_bars_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    no_bars_streamed(monkeypatch)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


@pytest.fixture
async def upstream(source: RedisSource) -> AsyncIterator[tuple[Simulator, Watcher]]:
    """A simulator, a connected ingest, and a client that watches SPY and has its price."""
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 100)
        await watching.until_price("SPY", 100)
        yield simulator, watching


async def sessions(simulator: Simulator) -> int:
    total: int = endpoint_state(simulator)["sessions_total"]
    return total


async def ticks_again(simulator: Simulator, watching: Watcher, price: float) -> None:
    await until_subscribed(simulator, "SPY")
    await trade(simulator, "SPY", price)
    await watching.until_price("SPY", price)


@pytest.mark.parametrize("code", TERMINAL)
async def test_an_error_that_waiting_does_not_mend_ends_the_ingest_with_its_code(
    source: RedisSource, code: int
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=code, count=100)
        service = ingest_service(source, simulator)
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(service.run(asyncio.Event()), LIMIT_SECONDS)

        assert caught.value.code == code
        status = await watching.status()
        assert status is not None
        assert (status.state, status.alpaca_connected) == ("failed", False)
        assert f"({code})" in str(status.reason)
        assert [alarm.code for alarm in status.alarms] == ["stream_failed"]
        assert endpoint_state(simulator)["refused"] == {str(code): 1}


@pytest.mark.parametrize("code", MENDED)
async def test_an_error_that_waiting_mends_is_tried_again(source: RedisSource, code: int) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=code, count=2)
        async with running_ingest(source, simulator):
            status = await watching.until_state("live")

            assert status.reconnects == 2
            assert endpoint_state(simulator)["refused"] == {str(code): 2}


async def test_a_taken_slot_is_reported_in_words(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_auth("iex", code=406, seconds=600)
        async with running_ingest(source, simulator):
            status = await watching.until_state("reconnecting")

            assert "another session holds Alpaca's slot" in str(status.reason)
            assert [alarm.code for alarm in status.alarms] == ["slot_taken"]
            simulator.faults.clear()
            await watching.until_state("live")


@asynccontextmanager
async def waiting_for_the_slot(
    source: RedisSource,
) -> AsyncIterator[tuple[Simulator, Watcher, StreamClient]]:
    """Run an ingest while another session holds the slot; at its end the ingest leaves no socket.

    The session is yielded too.
    """
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        open_stream(simulator) as other,
    ):
        await other.sign_in()
        async with running_ingest(source, simulator):
            await watching.until_state("reconnecting")
            yield simulator, watching, other
        await other.connection.close()
        await until(lambda: endpoint_state(simulator)["connections"] == 0)


async def test_a_slot_that_becomes_free_is_taken_on_the_socket_that_waits(
    source: RedisSource,
) -> None:
    async with waiting_for_the_slot(source) as (simulator, watching, other):
        await other.connection.close()
        await watching.until_state("live")
        assert endpoint_state(simulator)["connections_total"] == 2


async def test_an_ingest_that_ends_leaves_no_socket_that_waits_for_the_slot(
    source: RedisSource,
) -> None:
    async with waiting_for_the_slot(source) as (simulator, _, _):
        await until(lambda: endpoint_state(simulator)["connections"] == 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_http_status_in_place_of_the_upgrade_is_tried_again(
    source: RedisSource, status: int
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        simulator.faults.refuse_upgrade("iex", status=status, count=2)
        async with running_ingest(source, simulator):
            assert (await watching.until_state("live")).reconnects == 2


@pytest.mark.parametrize("fault", [Faults.mute_after_connect, Faults.mute_after_auth])
async def test_a_server_that_falls_silent_before_it_lets_us_in_is_left(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    patient_for(0.3, monkeypatch)
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        fault(simulator.faults, "iex", count=1)
        async with running_ingest(source, simulator):
            assert (await watching.until_state("live")).reconnects == 1


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

    await until(lambda: _is(watching, has_alarms))
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
    await until(lambda: _is(watching, lambda status: status.tape.unsubscribed == 1))


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


@pytest.fixture
def _impatient_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "SUSPECT_SECONDS": 0.3,
        "FIRST_DATA_SECONDS": 0.3,
        "PATIENCE_SECONDS": 0.3,
        "MOST_PATIENCE_SECONDS": 0.6,
    }.items():
        monkeypatch.setattr(stream_silence, name, seconds)
    monkeypatch.setattr(stock_handler, "SILENCE_JUDGE_SECONDS", 0.05)
    for name in ("CLOCKS_SECONDS", "ON_ITS_WAY_SECONDS"):
        monkeypatch.setattr(mute_stream, name, 0.1)
    monkeypatch.setattr(mute_stream, "PONG_SECONDS", 0.5)


@pytest.mark.usefixtures("_impatient_judge")
@pytest.mark.parametrize("fault", [Faults.mute, Faults.half_open])
async def test_a_mute_connection_in_an_open_session_is_replaced(
    upstream: tuple[Simulator, Watcher], fault: Callable[..., int]
) -> None:
    simulator, watching = upstream
    assert fault(simulator.faults, "iex") == 1

    async def trades_until_replaced() -> bool:
        await trade(simulator, "SPY", 105)
        return endpoint_state(simulator)["sessions_total"] >= 2 and (
            await watching.price("SPY") == 105
        )

    await until(trades_until_replaced)


@pytest.fixture
def _silence_is_soon_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine's own pauses are odd, too; that costs a question to REST."""
    monkeypatch.setattr(stream_silence, "ENOUGH_SECONDS", 0.2)
    monkeypatch.setattr(stream_silence, "ODD_SECONDS", 0.2)
    monkeypatch.setattr(stream_silence, "ODD_GAPS", 1)
    monkeypatch.setattr(stock_handler, "SILENCE_JUDGE_SECONDS", 0.02)
    monkeypatch.setattr(suspected_losses, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(rest_lead, "PASSED_NS", 500_000_000)


async def trades_come_steadily(simulator: Simulator, watching: Watcher) -> None:
    """Let the ingest learn SPY's pace while a client watches IBM, too."""
    await watching.watch("SPY", "IBM")
    await until_subscribed(simulator, "IBM", "SPY")
    for _ in range(60):
        await trade(simulator, "SPY", 100)
        await asyncio.sleep(0.01)


async def trades_until(
    simulator: Simulator, watching: Watcher, price: float, **traded: float
) -> None:
    """Have symbols trade until IBM has a price."""

    async def has_it() -> bool:
        for symbol, at in traded.items():
            await trade(simulator, symbol, at)
        return await watching.price("IBM") == price

    await until(has_it)


async def mute_trade_is_fetched(
    simulator: Simulator, watching: Watcher, price: float, *, seconds: float
) -> None:
    simulator.faults.mute("iex", seconds=seconds)
    await trade(simulator, "IBM", price)
    await trades_until(simulator, watching, price, SPY=100)


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_what_a_short_silence_has_swallowed_is_fetched(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trades_come_steadily(simulator, watching)
    await mute_trade_is_fetched(simulator, watching, 200, seconds=0.5)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_a_tape_is_complete_after_a_short_silence_although_its_symbol_trades_on(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await watching.watch("SPY", kind="trade")
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trade(simulator, "SPY", 100.25)

    async def is_complete() -> bool:
        await trade(simulator, "SPY", 100)
        return 100.25 in [data.get("price") for _, data in await watching.history("trade:SPY")]

    await until(is_complete)


@pytest.mark.usefixtures("_silence_is_soon_odd", "_no_bars_streamed")
async def test_the_bar_of_the_day_has_what_a_short_silence_has_swallowed(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await watching.watch("SPY", kind="bar.1Day")
    await watching.until_day_high("SPY", 100)
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trade(simulator, "SPY", 101)
    await trades_until(simulator, watching, 200, SPY=100, IBM=200)
    await watching.until_day_high("SPY", 101)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_what_a_second_silence_soon_after_has_swallowed_is_fetched_too(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trades_until(simulator, watching, 150, SPY=100, IBM=150)
    await mute_trade_is_fetched(simulator, watching, 151, seconds=0.4)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_impatient_judge")
async def test_a_closed_market_never_causes_a_reconnect(source: RedisSource) -> None:
    hours = SwitchableHours()
    hours.session = "closed"
    async with relay(source, SimulatorSettings(tape=None, positions=(), hours=hours)) as (
        simulator,
        watching,
        _,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await until(lambda: _is(watching, lambda status: status.session == "closed"))
        simulator.faults.mute("iex")
        for price in range(10):  # REST knows them, the stream does not bring them
            await trade(simulator, "SPY", 100 + price)
            await asyncio.sleep(0.1)

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
                lambda: _is(
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


async def _is(watching: Watcher, true: Callable[[Any], bool]) -> bool:
    status = await watching.status()
    return status is not None and true(status)
