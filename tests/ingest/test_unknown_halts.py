"""Halts that no status has reported here: from price bands, from the assets, or only possible."""

from typing import Any

import pytest

from ingest import composition, market_data, market_terms
from ingest.market import symbol_halts, symbol_states
from ingest.market.market_hours import NIGHT
from ingest.upstream import rest_prices
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from tests.ingest.watching import Watcher, relay, trade, until_subscribed, watcher
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

BANDS = {"T": "l", "S": "SPY", "u": 168.2, "d": 152.2, "z": "B"}
SUSPENDED = "Trading is halted or paused: its price bands are suspended."


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)
    monkeypatch.setattr(market_data, "QUIET_TURNS", 2)


@pytest.fixture
def _soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbol_states, "LEAST_QUIET_SECONDS", 0.2)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


async def until_bands(simulator: Simulator, *symbols: str) -> None:
    """Wait until the bands of exactly these symbols are subscribed."""
    await until(lambda: endpoint_state(simulator)["lulds"] == list(symbols))


async def until_status(watching: Watcher, **fields: Any) -> dict[str, Any]:
    """Wait until SPY's status has these fields; return it."""
    found: dict[str, Any] = {}

    async def is_so() -> bool:
        last = await watching.last("SPY", "status")
        found.update({} if last is None else last[1])
        return fields.items() <= found.items()

    await until(is_so)
    return found


async def until_not_halted(watching: Watcher) -> None:
    """Wait until SPY is in another state: on a slow machine it may be quiet before it is live."""

    async def is_so() -> bool:
        last = await watching.last("SPY", "status")
        return last is not None and last[1]["state"] != "halted"

    await until(is_so)


@pytest.mark.usefixtures("_soon_quiet")
async def test_the_bands_of_a_silent_symbol_show_a_halt_that_began_before_it_was_watched(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        await trade(simulator, "SPY", 160)
        await watching.watch("SPY")
        await until_bands(simulator, "SPY")
        await simulator.publish({**BANDS, "i": "D"})
        await until_status(watching, state="halted", reason=SUSPENDED)
        await simulator.publish({**BANDS, "i": "E"})
        await until_status(watching, state="quiet")

        await until_bands(simulator)
        assert await watching.last("SPY", "luld") is None, "no client watches the bands"


@pytest.mark.usefixtures("_soon_quiet")
async def test_a_trade_ends_a_halt_that_only_the_bands_have_shown(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbol_halts, "LATE_REPORT_SECONDS", 0.0)
    async with relay(source) as (simulator, watching, _):
        await trade(simulator, "SPY", 160)
        await watching.watch("SPY")
        await until_bands(simulator, "SPY")
        await simulator.publish({**BANDS, "i": "D"})
        await until_status(watching, state="halted")
        await trade(simulator, "SPY", 161)
        await until_not_halted(watching)


@pytest.mark.usefixtures("_soon_quiet")
@pytest.mark.parametrize("sizes", [{"as": 0, "bs": 5}, {"as": 5, "bs": 0}, None])
async def test_a_silent_symbol_that_is_not_quoted_on_both_sides_may_be_halted(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int] | None
) -> None:
    monkeypatch.setattr(symbol_halts, "LATE_REPORT_SECONDS", 0.0)
    for module in (symbol_states, rest_prices):
        monkeypatch.setattr(module, "MAY_BE_HALTED_SECONDS", 0.5)
    async with relay(source) as (simulator, watching, _):
        await trade(simulator, "SPY", 160)
        if sizes is not None:
            await simulator.publish({"T": "q", "S": "SPY", "bp": 1.5, "ap": 1.6, **sizes})
        await watching.watch("SPY")
        await until_status(watching, state="quiet", reason=symbol_states._MAY_BE_HALTED.reason)
        await trade(simulator, "SPY", 161)
        await until_status(watching, state="quiet", reason=symbol_states._QUIET.reason)
        is_published = await watching.last("SPY", "quote") is not None
        assert is_published == (sizes is not None), "the first look-up brings a quote"


async def test_the_assets_show_a_halt_of_the_overnight_session(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (composition, market_terms):
        monkeypatch.setattr(module, "TRADES_IN", {"iex": NIGHT})
    monkeypatch.setattr(symbol_halts, "LATE_REPORT_SECONDS", 0.0)
    settings = SimulatorSettings(
        tape=None,
        positions=(),
        hours=SwitchableHours("closed"),  # by day
        assets=["SPY"],
        overnight_halted=["SPY"],
    )
    async with relay(source, settings) as (simulator, watching, _):
        await watching.watch("SPY")
        await until_status(
            watching,
            state="halted",
            reason="Alpaca's assets list it as halted in the overnight session.",
        )
        assert endpoint_state(simulator)["lulds"] == []
        await trade(simulator, "SPY", 160)
        await until_not_halted(watching)


async def test_a_restriction_of_short_sales_is_no_halt_and_outlives_the_ingest_that_heard_of_it(
    source: RedisSource,
) -> None:
    settings = SimulatorSettings(tape=None, positions=())
    restriction = {"T": "s", "S": "SPY", "sc": "E", "sm": "Short Sale Restriction", "rc": ""}
    async with Simulator(settings) as simulator, watcher(source) as watching:
        await trade(simulator, "SPY", 160)
        await watching.watch("SPY")
        async with running_ingest(source, simulator):
            await until(lambda: endpoint_state(simulator)["statuses"] == ["SPY"])
            await until_status(watching, short_sale_restricted=None)
            await simulator.publish({**restriction, "rm": "", "z": "B"})
            told = await until_status(watching, short_sale_restricted=True)
        assert told["state"] != "halted"
        assert told["notice"] == "Short sales are restricted."
        async with running_ingest(source, simulator):
            await until_subscribed(simulator, "SPY")
            again = await until_status(watching, short_sale_restricted=True, notice=None)

    assert again["short_sale_as_of"] == told["short_sale_as_of"]
    assert again["event_id"] != told["event_id"]


async def test_an_unknown_status_is_shown_in_alpacas_words_and_raises_an_alarm(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        await trade(simulator, "SPY", 160)
        await watching.watch("SPY")
        await until(lambda: endpoint_state(simulator)["statuses"] == ["SPY"])
        unknown = {"T": "s", "S": "SPY", "sc": "Z", "sm": "Suspended", "rc": "Z1", "z": "B"}
        await simulator.publish({**unknown, "rm": "A new reason"})
        status = await until_status(watching, notice="Suspended: A new reason.")
        assert status["state"] != "halted"

        async def is_counted() -> bool:
            report = await watching.status()
            assert report is not None
            alarms = {alarm.code for alarm in report.alarms}
            return report.tape.unknown_statuses == {"B:Z": 1} and "unknown_statuses" in alarms

        await until(is_counted)
