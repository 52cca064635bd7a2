"""The trading host's list of option contracts."""

from typing import Any

import pytest

from tests.simulator.option_data import (
    CALL,
    DAY,
    GOOG_CHAIN,
    SPY_CHAIN,
    Market,
    option_market,
    trade,
)

BOTH = (SPY_CHAIN, GOOG_CHAIN)


async def symbols(market: Market, **query: object) -> list[str]:
    return [row["symbol"] for row in (await market.contracts(**query))["option_contracts"]]


async def test_by_default_it_has_contracts_that_expire_before_the_coming_weekend() -> None:
    async with option_market(BOTH, requests_per_minute=100) as market:
        shown = []
        for _ in range(7):  # Monday to Sunday
            rows = (await market.contracts(limit=10_000))["option_contracts"]
            shown.append(sorted({row["expiration_date"] for row in rows}))
            market.clock.now += DAY

    thursday, friday = "2026-11-26", "2026-11-27"
    assert shown[:4] == [[thursday, friday]] * 4
    assert shown[4] == [friday]
    assert shown[5] == shown[6] == ["2026-12-03"]  # Thursday of the next week


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"underlying_symbols": "SPY"}, 23),
        ({"underlying_symbols": "GOOG"}, 176),
        ({"underlying_symbols": "SPY,GOOG"}, 199),
        ({}, 199),
        ({"underlying_symbols": "AAPL"}, 0),
        ({"underlying_symbols": "SPY", "expiration_date_lte": "2030-01-01"}, 36),
        ({"underlying_symbols": "SPY", "expiration_date": "2028-05-12"}, 1),
        ({"expiration_date_gte": "2026-11-27"}, 23),
        ({"underlying_symbols": "GOOG", "type": "put", "strike_price_lte": "600"}, 2),
        ({"underlying_symbols": "SPY", "style": "european"}, 0),
        ({"underlying_symbols": "SPY", "style": "american", "root_symbol": "SPY"}, 23),
        ({"status": "inactive"}, 0),
    ],
)
async def test_it_can_be_filtered(query: dict[str, Any], count: int) -> None:
    async with option_market(BOTH) as market:
        assert len(await symbols(market, limit=10_000, **query)) == count


async def test_a_contract_has_alpacas_fields_as_text() -> None:
    async with option_market() as market:
        rows = (await market.contracts(expiration_date_lte="2030-01-01"))["option_contracts"]
        row = next(each for each in rows if each["symbol"] == CALL)
        asset = (await market.http.get(f"/v2/assets/{CALL}")).json()

    assert row == {
        "id": asset["id"],
        "symbol": CALL,
        "name": "SPY Nov 27 2026 330 Call",
        "status": "active",
        "tradable": True,
        "expiration_date": "2026-11-27",
        "root_symbol": "SPY",
        "underlying_symbol": "SPY",
        "underlying_asset_id": row["underlying_asset_id"],
        "type": "call",
        "style": "american",
        "strike_price": "330",
        "multiplier": "100",
        "size": "100",
        "open_interest": "7",
        "open_interest_date": "2026-11-20",
        "close_price": "137.385",
        "close_price_date": "2026-11-20",
    }


async def test_an_unrecorded_contract_has_no_close_until_a_day_is_over() -> None:
    async with option_market(()) as market:
        await market.simulator.publish(trade(CALL, 1.5))
        first = (await market.contracts())["option_contracts"]
        market.clock.now += DAY
        second = (await market.contracts())["option_contracts"]

    names = ("open_interest", "open_interest_date", "close_price", "close_price_date")
    assert [[row[name] for name in names] for row in first] == [[None] * 4]
    assert [[row[name] for name in names] for row in second] == [[None, None, "1.5", "2026-11-23"]]


async def test_pages_have_each_contract_once() -> None:
    async with option_market(BOTH, requests_per_minute=100) as market:
        whole = await symbols(market, limit=10_000)
        paged: list[str] = []
        token: str | None = None
        while token is not None or not paged:
            page = await market.contracts(limit=50, page_token=token or "")
            paged += [row["symbol"] for row in page["option_contracts"]]
            token = page["next_page_token"]
        default = await symbols(market)

    assert paged == whole
    assert default == whole[:100]


async def test_an_expired_contract_is_inactive() -> None:
    async with option_market() as market:
        market.clock.now += 5 * DAY
        active = await symbols(market, expiration_date_lte="2030-01-01")
        page = await market.contracts(status="inactive")

    rows = page["option_contracts"]
    assert CALL not in active
    assert CALL in {row["symbol"] for row in rows}
    assert {(row["status"], row["tradable"]) for row in rows} == {("inactive", False)}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("status=open", "invalid status: open"),
        ("style=asian", "invalid style: asian"),
        ("type=c", "invalid type: c"),
        ("limit=10001", "invalid limit: 10001"),
        ("expiration_date_lte=2026-13-01", "invalid expiration_date_lte: 2026-13-01"),
    ],
)
async def test_a_wrong_request_is_explained(query: str, text: str) -> None:
    async with option_market() as market:
        answer = await market.http.get(f"/v2/options/contracts?{query}")

    assert (answer.status_code, answer.json()) == (400, {"message": text})


async def test_one_contract_is_found_by_its_symbol() -> None:
    async with option_market() as market:
        found = await market.http.get(f"/v2/options/contracts/{CALL}")
        unknown = await market.http.get("/v2/options/contracts/SPY261127P00001000")

    assert (found.status_code, found.json()["symbol"]) == (200, CALL)
    assert (unknown.status_code, unknown.json()["code"]) == (404, 40410000)
