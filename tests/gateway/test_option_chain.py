"""``/api/options/{underlying}``: the chain, from recorded contracts to a client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.http import held_rows
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.services import running_gateway, running_ingest, until
from tests.simulator.client import KEYS
from tests.simulator.option_data import SPY_CHAIN

RECORDED = SimulatorSettings(tape=None, positions=(), option_chains=(SPY_CHAIN,))
OURS = ("symbol", "implied_volatility", "delta", "gamma", "theta", "vega", "rho", "volume")
ALPACAS = ("delta", "gamma", "theta", "vega", "rho")


@asynccontextmanager
async def chains(
    source: RedisSource, **settings: Any
) -> AsyncIterator[tuple[Simulator, httpx.AsyncClient]]:
    """Run a simulator with a recorded chain, an ingest and a gateway."""
    async with (
        Simulator(RECORDED) as simulator,
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as http,
        running_ingest(source, simulator, **settings),
    ):

        async def is_led() -> bool:
            return bool((await http.get("/readyz")).json()["feed_state"] != "down")

        await until(is_led)
        yield simulator, http


async def alpacas(simulator: Simulator, **query: Any) -> dict[str, Any]:
    """Return the chain as Alpaca's REST shows it."""
    async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as rest:
        given = {"limit": 1000, **query}
        answer = await rest.get("/v1beta1/options/snapshots/SPY", params=given)
        found: dict[str, Any] = answer.json()["snapshots"]
        return found


def compared(rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            symbol,
            row.get("impliedVolatility"),
            *(row.get("greeks", {}).get(name) for name in ALPACAS),
            row.get("dailyBar", {}).get("v"),
        )
        for symbol, row in rows.items()
    )


async def test_a_recorded_chain_reaches_a_client_with_volatility_and_greeks(
    any_source: RedisSource,
) -> None:
    async with chains(any_source) as (simulator, http):
        answer = await http.get("/api/options/spy")
        expected = await alpacas(simulator)

    assert answer.status_code == 200, answer.text
    chain = answer.json()
    assert sorted(tuple(row[name] for name in OURS) for row in chain["contracts"]) == compared(
        expected
    )
    assert len(expected) == 36
    assert any(row["delta"] is not None for row in chain["contracts"])
    assert (chain["underlying"], chain["feed"]) == ("SPY", "indicative")
    assert (chain["delayed"], chain["indicative"]) == (True, True)


async def test_an_equal_request_gets_the_reply_that_redis_keeps(source: RedisSource) -> None:
    async with chains(source) as (_, http):
        first = await http.get("/api/options/SPY", params={"type": "call"})
        again = await http.get("/api/options/SPY", params={"type": "call"})

    assert first.json()["as_of"] == again.json()["as_of"]
    assert {row["type"] for row in first.json()["contracts"]} == {"call"}


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("/api/options/BTCUSD", "bad_symbol", "a pair"),
        ("/api/options/SPY261218C00500000", "bad_symbol", "option"),
        ("/api/options/$$$", "bad_symbol", "$$$"),
        ("/api/options/SPY?expiration=friday", "bad_value", "friday"),
        ("/api/options/SPY?expiration=2026-02-30", "bad_value", "2026-02-30"),
        ("/api/options/SPY?type=swap", "bad_value", "swap"),
    ],
)
async def test_a_wrong_parameter_is_named_with_the_remedy(path: str, code: str, word: str) -> None:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        answer = await http.get(path)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert word in error["message"]


async def test_if_no_ingest_leads_nobody_waits() -> None:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        answer = await http.get("/api/options/SPY")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_ingest"


async def test_options_that_are_not_served_are_rejected_with_the_setting(
    any_source: RedisSource,
) -> None:
    async with chains(any_source, alpaca_option_feed="off") as (_, http):
        answer = await http.get("/api/options/SPY")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported"
    assert "ALPACA_OPTION_FEED" in answer.json()["error"]["message"]


async def test_the_contracts_of_all_answers_under_way_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_rows, "MAX_ROWS_HELD", 11_999)
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        answer = await http.get("/api/options/SPY")

    assert answer.status_code == 429
