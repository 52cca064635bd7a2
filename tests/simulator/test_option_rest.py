"""REST for the market data of options."""

from typing import Any

import httpx
import pytest

from simulator.options.contract import contract_of
from simulator.protocol.rfc3339 import render
from tests.simulator.option_data import (
    CALL,
    DAY,
    GOOG_CHAIN,
    MINUTE,
    MONDAY,
    OTHER,
    SPY_CHAIN,
    Market,
    option_market,
    quote,
    trade,
)

NOT_SIGNED = {"message": "OPRA agreement is not signed"}


async def chain(market: Market, underlying: str, **query: object) -> list[str]:
    """Return the symbols of all pages."""
    found: list[str] = []
    token: str | None = None
    while True:
        more = {} if token is None else {"page_token": token}
        page = await market.body(f"snapshots/{underlying}", **query, **more)
        found += page["snapshots"]
        token = page["next_page_token"]
        if token is None:
            return found


async def test_a_chain_has_the_recorded_contracts_of_its_stock() -> None:
    async with option_market((SPY_CHAIN, GOOG_CHAIN)) as market:
        spy, goog = [await chain(market, name, limit=1000) for name in ("SPY", "GOOG")]
        other = await market.body("snapshots/AAPL")

    assert (len(spy), len(goog)) == (36, 2192)
    assert spy == sorted(spy)
    assert goog[0] == "GOOG261126C00590000"
    assert {contract_of(symbol).underlying for symbol in goog} == {"GOOG"}
    assert other == {"snapshots": {}, "next_page_token": None}


async def test_a_recorded_contract_has_its_day_its_volatility_and_its_greeks() -> None:
    async with option_market() as market:
        page = await market.body("snapshots/SPY", root_symbol="SPY", limit=1000)

    assert page["snapshots"]["SPY280512C00345000"] == {
        "dailyBar": {"o": 145.75, "h": 150.18, "l": 141.855, "c": 144.505, "v": 0}
        | {"t": "2026-11-20T05:00:00Z"},
        "impliedVolatility": 0.2244864,
        "greeks": {"delta": 0.8948588, "gamma": 0.0019484, "rho": -0.4456611}
        | {"theta": -0.0128214, "vega": 0.8623178},
    }


@pytest.mark.parametrize("limit", [1, 7, 36])
async def test_pages_have_each_contract_once(limit: int) -> None:
    async with option_market(requests_per_minute=100) as market:
        paged = await chain(market, "SPY", limit=limit)
        whole = await chain(market, "SPY")
        first = await market.body("snapshots/SPY", limit=limit)

    assert paged == whole
    assert len(first["snapshots"]) == limit


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "call"}, 1096),
        ({"type": "put", "strike_price_gte": 800, "strike_price_lte": 810.5}, 33),
        ({"expiration_date": "2026-11-26"}, 176),
        ({"expiration_date_gte": "2027-11-01", "expiration_date_lte": "2027-12-31"}, 198),
        ({"root_symbol": "GOOG1"}, 0),
        ({"strike_price_gte": "750", "strike_price_lte": "750", "type": "call"}, 12),
    ],
)
async def test_a_chain_can_be_filtered(query: dict[str, Any], expected: int) -> None:
    async with option_market((GOOG_CHAIN,)) as market:
        found = await chain(market, "GOOG", **query, limit=1000)
        contracts = [contract_of(symbol) for symbol in found]
        everything = await chain(market, "GOOG", limit=1000)

    def is_wanted(symbol: str) -> bool:
        one = contract_of(symbol)
        return (
            one.type == query.get("type", one.type)
            and float(query.get("strike_price_gte", 0)) <= one.strike
            and one.strike <= float(query.get("strike_price_lte", 10**6))
            and query.get("expiration_date", str(one.expiration)) == str(one.expiration)
            and query.get("expiration_date_gte", "") <= str(one.expiration)
            and str(one.expiration) <= query.get("expiration_date_lte", "9")
            and one.root == query.get("root_symbol", one.root)
        )

    assert found == [symbol for symbol in everything if is_wanted(symbol)]
    assert len(contracts) == expected


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("snapshots/SPY", "type=straddle", "invalid type: straddle"),
        ("snapshots/SPY", "strike_price_gte=high", "invalid strike_price_gte: high"),
        ("snapshots/SPY", "strike_price_lte=NaN", "invalid strike_price_lte: NaN"),
        ("snapshots/SPY", "expiration_date=soon", "invalid expiration_date: soon"),
        ("snapshots/SPY", "limit=0", "invalid limit: 0"),
        ("snapshots/SPY", "limit=1001", "invalid limit: 1001"),
        ("snapshots/SPY", "page_token=AAAA", "invalid page_token: AAAA"),
        ("snapshots/SPY", "page_token=%25", "invalid page_token: %"),
        ("snapshots/SPY", "feed=sip", "invalid feed: sip"),
        ("snapshots/SPY", "updated_since=noon", "invalid updated_since: noon"),
        ("snapshots", "", "symbols are required"),
        ("snapshots", "symbols=SPY", "invalid symbol: SPY"),
        ("snapshots", "symbols=" + ",".join([CALL] * 101), "too many symbols: 101, at most 100"),
        ("trades/latest", "symbols=,", "symbols are required"),
        ("quotes/latest", f"symbols={CALL}&feed=iex", "invalid feed: iex"),
        ("bars", f"symbols={CALL}&timeframe=1Second", "invalid timeframe: 1Second"),
        ("bars", f"symbols={CALL}&timeframe=1Min&limit=10001", "invalid limit: 10001"),
        ("trades", f"symbols={CALL}&start=x", "invalid start: x"),
    ],
)
async def test_a_wrong_request_is_explained(path: str, query: str, text: str) -> None:
    async with option_market() as market:
        answer = await market.http.get(f"/v1beta1/options/{path}?{query}")

    assert (answer.status_code, answer.json()) == (400, {"message": text})


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("snapshots/SPY", {"feed": "opra"}),
        ("snapshots", {"symbols": CALL, "feed": "opra"}),
        ("trades/latest", {"symbols": CALL, "feed": "opra"}),
        ("quotes/latest", {"symbols": CALL, "feed": "opra"}),
        ("trades", {"symbols": CALL, "end": render(MONDAY)}),
        ("bars", {"symbols": CALL, "timeframe": "1Min", "end": render(MONDAY)}),
    ],
)
async def test_opra_and_the_newest_history_need_the_plan(
    path: str, query: dict[str, object]
) -> None:
    async with option_market(plan="basic") as market:
        refused = await market.get(path, **query)
    async with option_market(plan="plus") as market:
        allowed = await market.get(path, **query)

    assert (refused.status_code, refused.json()) == (403, NOT_SIGNED)
    assert allowed.status_code == 200


async def test_a_snapshot_has_all_that_is_known() -> None:
    at, later = render(MONDAY), render(MONDAY + 1)
    async with option_market() as market:
        await market.simulator.publish(trade(CALL, 150.25, 3, t=at))
        await market.simulator.publish(quote(CALL, 150.1, 150.4, t=later))
        market.clock.now += MINUTE
        body = await market.body("snapshots", symbols=f"{OTHER},{CALL},SPY261127P00001000")

    today = {"o": 150.25, "h": 150.25, "l": 150.25, "c": 150.25, "v": 3, "n": 1, "vw": 150.25}
    assert body["next_page_token"] is None
    assert list(body["snapshots"]) == [CALL, OTHER]
    assert body["snapshots"][CALL] == {
        "latestTrade": {"p": 150.25, "s": 3, "x": "N", "c": "S", "t": at},
        "latestQuote": {"bx": "C", "bp": 150.1, "bs": 20, "ax": "C", "ap": 150.4, "as": 66}
        | {"c": "A", "t": later},
        "minuteBar": today | {"t": "2026-11-23T15:00:00Z"},
        "dailyBar": today | {"t": "2026-11-23T05:00:00Z"},
        "prevDailyBar": {"o": 138.88, "h": 141.07, "l": 136.705, "c": 137.385, "v": 0}
        | {"t": "2026-11-20T05:00:00Z"},
        "impliedVolatility": 1e-07,
        "greeks": {"delta": 1, "gamma": 0, "rho": 0, "theta": 0, "vega": 0},
    }


async def test_snapshots_can_be_those_that_were_updated_since_a_time() -> None:
    async with option_market() as market:
        await market.simulator.publish(trade(CALL, 1.5, t=render(MONDAY)))
        await market.simulator.publish(quote(OTHER, 1.5, 1.6, t=render(MONDAY + MINUTE)))
        since = [
            list((await market.body("snapshots/SPY", updated_since=render(at)))["snapshots"])
            for at in (MONDAY, MONDAY + 1, MONDAY + MINUTE + 1)
        ]

    assert since == [[CALL, OTHER], [OTHER], []]


async def test_on_the_day_of_expiry_there_are_no_greeks_and_later_no_contract() -> None:
    async with option_market(requests_per_minute=100) as market:
        far = "SPY280512C00345000"
        shown = []
        for _ in range(6):  # Monday to Saturday
            body = await market.body("snapshots/SPY", limit=1000)
            shown.append({name: set(each) for name, each in body["snapshots"].items()})
            market.clock.now += DAY

    whole = {"dailyBar", "impliedVolatility", "greeks"}
    assert [each.get(CALL) for each in shown] == [whole] * 4 + [{"dailyBar"}, None]
    assert [each[far] for each in shown] == [whole] * 6


async def test_with_a_side_missing_in_the_quote_there_are_no_greeks() -> None:
    async with option_market() as market:
        await market.simulator.publish(quote(CALL, 0, 150.4))
        await market.simulator.publish(quote(OTHER, 150.2, 150.4))
        found = (await market.body("snapshots", symbols=f"{CALL},{OTHER}"))["snapshots"]

    assert set(found[CALL]) == {"latestQuote", "dailyBar"}
    assert set(found[OTHER]) == {"latestQuote", "dailyBar", "impliedVolatility", "greeks"}


async def test_the_latest_trades_and_quotes_are_those_of_the_named_contracts() -> None:
    at = render(MONDAY)
    async with option_market() as market:
        await market.simulator.publish(trade(CALL, 1.5, 2, t=at, c="I"))
        await market.simulator.publish(quote(OTHER, 1.5, 2, t=at))
        trades = await market.body("trades/latest", symbols=f"{CALL},{OTHER}", feed="indicative")
        quotes = await market.body("quotes/latest", symbols=f"{CALL},{OTHER}")

    assert trades == {"trades": {CALL: {"p": 1.5, "s": 2, "x": "N", "c": "I", "t": at}}}
    assert quotes == {
        "quotes": {
            OTHER: {"bx": "C", "bp": 1.5, "bs": 20, "ax": "C", "ap": 2, "as": 66}
            | {"c": "A", "t": at}
        }
    }


async def test_bars_are_those_of_the_trades_of_this_run() -> None:
    start = {"start": render(MONDAY - 5 * DAY)}
    async with option_market(plan="plus") as market:
        for minute, price in ((0, 1.5), (1, 1.75), (5, 2)):
            await market.simulator.publish(trade(CALL, price, 2, t=MONDAY + minute * MINUTE))
        market.clock.now += 5 * MINUTE
        found = {
            frame: (await market.body("bars", symbols=CALL, timeframe=frame, **start))["bars"][CALL]
            for frame in ("1Min", "5Min", "1Day")
        }
        first = await market.body("bars", symbols=CALL, timeframe="1Min", limit=1, **start)
        token = first["next_page_token"]
        rest = await market.body(
            "bars", symbols=CALL, timeframe="1Min", limit=1, page_token=token, **start
        )

    def closes(frame: str) -> list[tuple[str, float, float]]:
        return [(bar["t"], bar["c"], bar["v"]) for bar in found[frame]]

    assert closes("1Min") == [("2026-11-23T15:00:00Z", 1.5, 2), ("2026-11-23T15:01:00Z", 1.75, 2)]
    assert closes("5Min") == [("2026-11-23T15:00:00Z", 1.75, 4)]
    assert closes("1Day") == [("2026-11-23T05:00:00Z", 2, 6)]
    assert first["bars"] == {CALL: found["1Min"][:1]}
    assert rest == {"bars": {CALL: found["1Min"][1:]}, "next_page_token": None}


async def test_trades_come_in_pages_sorted_by_contract_and_time() -> None:
    async with option_market(plan="plus") as market:
        for symbol, at in ((OTHER, 0), (CALL, 1), (CALL, 0)):
            await market.simulator.publish(trade(symbol, 1 + at, t=MONDAY - MINUTE + at))
        query = {"symbols": f"{OTHER},{CALL}", "limit": 2}
        first = await market.body("trades", **query)
        second = await market.body("trades", **query, page_token=first["next_page_token"])
        newest = await market.body("trades", symbols=CALL, sort="desc")

    assert [one["p"] for one in first["trades"][CALL]] == [1, 2]
    assert second["trades"] == {
        OTHER: [{"p": 1, "s": 1, "x": "N", "c": "S", "t": render(MONDAY - MINUTE)}]
    }
    assert second["next_page_token"] is None
    assert [one["p"] for one in newest["trades"][CALL]] == [2, 1]


async def test_the_history_of_the_basic_plan_ends_a_quarter_of_an_hour_ago() -> None:
    async with option_market() as market:
        await market.simulator.publish(trade(CALL, 1, t=MONDAY - 16 * MINUTE))
        await market.simulator.publish(trade(CALL, 2, t=MONDAY - 14 * MINUTE))
        body = await market.body("trades", symbols=CALL, feed="indicative")

    assert [one["p"] for one in body["trades"][CALL]] == [1]


async def test_stocks_and_options_share_the_budget() -> None:
    async with option_market(requests_per_minute=2) as market:
        stocks = await market.http.get("/v2/stocks/snapshots?symbols=SPY")
        options = await market.get("snapshots/SPY")
        beyond = await market.get("snapshots/SPY")
        contracts = [(await market.http.get("/v2/options/contracts")).status_code]
        contracts.append((await market.http.get("/v2/clock")).status_code)
        contracts.append((await market.http.get("/v2/options/contracts")).status_code)

    remaining = [each.headers["X-Ratelimit-Remaining"] for each in (stocks, options, beyond)]
    assert (stocks.status_code, options.status_code, beyond.status_code) == (200, 200, 429)
    assert remaining == ["1", "0", "0"]
    assert contracts == [200, 200, 429]


async def test_faults_of_rest_strike_options_too() -> None:
    async with option_market() as market:
        market.simulator.faults.rest(status=503, path="/v1beta1/options/snapshots")
        codes = [
            (await market.get(path, symbols=CALL)).status_code
            for path in ("quotes/latest", "snapshots", "snapshots")
        ]
        with pytest.raises(ValueError, match="starts with /v2/, /v1beta1/ or /v1beta3/"):
            market.simulator.faults.rest(status=503, path="/v1/")

    assert codes == [200, 503, 200]


@pytest.mark.parametrize(
    "path", ["/v1beta1/options/snapshots/SPY", "/v1beta1/options/bars", "/v2/options/contracts"]
)
async def test_options_need_the_keys(path: str) -> None:
    async with (
        option_market() as market,
        httpx.AsyncClient(base_url=market.simulator.rest_url) as http,
    ):
        answer = await http.get(path)

    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized."})


async def test_a_contract_that_nothing_lists_is_in_the_chain_once_it_has_a_message() -> None:
    expiring = contract_of(CALL).moved(-4).symbol
    async with option_market() as market:
        await market.simulator.publish(quote(expiring, 1.5, 1.6), "indicative")
        body = await market.body("snapshots/SPY", expiration_date="2026-11-23")

    assert {name: set(each) for name, each in body["snapshots"].items()} == {
        expiring: {"latestQuote"}
    }
