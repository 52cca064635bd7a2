"""Option chains, from Alpaca's REST rows to the reply of a gateway's request."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest.market.market_hours import REGULAR, MarketHours
from ingest.upstream import option_chains
from ingest.upstream.option_chains import RECENT_SECONDS, SETTLED_SECONDS, OptionChains
from ingest.upstream.option_rest import OptionRest
from shared.option_chain import OptionContract, terms_of
from shared.request import ChainReply, ChainRequest, Failure
from tests.ingest.trades import NOON, two_days
from tests.ingest.upstream.rest_stub import RestStub, stubbed

CALL, PUT = "SPY261218C00500500", "SPY261218P00400000"
AT = "2026-11-16T16:59:00.123Z"
SECOND = 1_000_000_000
HOUR = 3600 * SECOND

WHOLE: dict[str, Any] = {
    "latestTrade": {"t": AT, "p": 2.5, "s": 3, "x": "N", "c": "I"},
    "latestQuote": {"t": AT, "bp": 2.4, "bs": 10, "bx": "C", "ap": 2.6, "as": 20, "c": " "},
    "dailyBar": {"t": "2026-11-16T05:00:00Z", "o": 2, "h": 3, "l": 2, "c": 2.5, "v": 17, "n": 4},
    "prevDailyBar": {"t": "2026-11-13T05:00:00Z", "o": 2, "h": 3, "l": 2, "c": 2.25, "v": 9},
    "impliedVolatility": 0.21,
    "greeks": {"delta": 0.4, "gamma": 0.01, "theta": -0.2, "vega": 0.1, "rho": 0.05},
}  # fmt: skip


def page(rows: dict[str, Any], token: str | None = None) -> JSONResponse:
    return JSONResponse({"snapshots": rows, "next_page_token": token})


def pages(*each: dict[str, Any]) -> RestStub:
    """Answer page after page."""

    def answer(request: Request) -> Response:
        number = int(request.query_params.get("page_token", 0))
        following = str(number + 1) if number + 1 < len(each) else None
        return page(each[number], following)

    return RestStub(SPY=answer)


async def answered(
    stub: RestStub, *, feed: str = "indicative", now: int = NOON, **asked: Any
) -> tuple[Any, float, list[str]]:
    """Return the reply, for how long it is valid, and the problems of the rows."""
    async with stubbed(stub) as rest:
        hours: Callable[[], MarketHours] = lambda: two_days().within(REGULAR)  # noqa: E731
        chains = OptionChains(OptionRest(rest, feed), hours, lambda: now)
        reply, seconds = await chains.answer(ChainRequest(underlying="SPY", **asked))
        return reply, seconds, [str(rest.malformed.first)] * bool(rest.malformed.count)


def contracts(reply: Any) -> list[OptionContract]:
    assert isinstance(reply, ChainReply), reply
    found = msgspec.json.decode(reply.contracts, type=list[OptionContract])
    assert reply.count == len(found)
    return found


async def test_a_contract_has_its_terms_trade_quote_greeks_and_day() -> None:
    reply, _, problems = await answered(pages({CALL: WHOLE}))

    assert contracts(reply) == [
        OptionContract(
            symbol=CALL,
            type="call",
            expiration="2026-12-18",
            strike=500.5,
            price=2.5,
            size=3,
            traded_at="2026-11-16T16:59:00.123Z",
            bid=2.4,
            bid_size=10,
            ask=2.6,
            ask_size=20,
            quoted_at="2026-11-16T16:59:00.123Z",
            implied_volatility=0.21,
            delta=0.4,
            gamma=0.01,
            theta=-0.2,
            vega=0.1,
            rho=0.05,
            volume=17,
            volume_day="2026-11-16",
            previous_close=2.25,
        )
    ]
    assert (reply.as_of, reply.feed) == ("2026-11-16T17:00:00Z", "indicative")
    assert (reply.delayed, reply.indicative) == (True, True)
    assert problems == []


async def test_the_chain_of_opra_is_neither_delayed_nor_indicative() -> None:
    stub = pages({CALL: WHOLE})
    reply, _, _ = await answered(stub, feed="opra")

    assert (reply.feed, reply.delayed, reply.indicative) == ("opra", False, False)
    assert stub.requests[0].query_params["feed"] == "opra"


async def test_a_contract_that_has_nothing_yet_has_its_terms() -> None:
    reply, _, problems = await answered(pages({CALL: {}, PUT: {"latestTrade": None}}))

    assert [(each.type, each.price, each.bid, each.delta) for each in contracts(reply)] == [
        ("put", None, None, None),
        ("call", None, None, None),
    ]
    assert problems == []


async def test_contracts_of_all_pages_are_sorted_by_expiration_strike_and_type() -> None:
    names = ("SPY261218P00500000", "SPY261218C00500000", "SPY261211C00900000", "SPY261218C00400000")
    stub = pages({names[0]: {}, names[1]: {}}, {names[2]: {}}, {names[3]: {}})
    reply, _, _ = await answered(stub)

    assert [each.symbol for each in contracts(reply)] == [names[2], names[3], names[1], names[0]]
    assert [each.query_params.get("page_token") for each in stub.requests] == [None, "1", "2"]


async def test_expiration_and_type_are_alpacas_filters() -> None:
    stub = pages({})
    reply, _, _ = await answered(stub, expiration="2026-12-18", type="call")

    asked = stub.requests[0]
    assert asked.url.path == "/v1beta1/options/snapshots/SPY"
    assert asked.query_params["expiration_date"] == "2026-12-18"
    assert asked.query_params["type"] == "call"
    assert contracts(reply) == []


@pytest.mark.parametrize(
    ("odd", "lost"),
    [
        ({"latestTrade": {"p": 2.5}}, "price size traded_at"),
        ({"latestTrade": {**WHOLE["latestTrade"], "p": 0}}, "price size traded_at"),
        ({"latestQuote": {**WHOLE["latestQuote"], "bp": 0}}, "bid bid_size"),
        ({"latestQuote": 7}, "bid bid_size ask ask_size quoted_at"),
        ({"impliedVolatility": "x"}, "implied_volatility"),
        ({"impliedVolatility": 0}, "implied_volatility"),
        ({"greeks": {**WHOLE["greeks"], "delta": "x"}}, "delta"),
        ({"greeks": None}, "delta gamma theta vega rho"),
        ({"dailyBar": {"v": 5}}, "volume volume_day"),
        ({"prevDailyBar": []}, "previous_close"),
    ],
    ids=repr,
)
async def test_a_part_of_another_form_costs_the_part(odd: dict[str, Any], lost: str) -> None:
    reply, _, _ = await answered(pages({CALL: {**WHOLE, **odd}}))

    [found] = contracts(reply)
    assert {name for name in found.__struct_fields__ if getattr(found, name) is None} == set(
        lost.split()
    )


@pytest.mark.parametrize(
    ("symbol", "row"),
    [
        ("SPY", WHOLE),
        ("SPY261332C00500000", WHOLE),
        (CALL, 7),
        (CALL, None),
        (CALL, {**WHOLE, "latestTrade": {"t": "noon", "p": 2.5}}),
    ],
    ids=repr,
)
async def test_a_row_that_cannot_be_read_is_counted_and_costs_itself(symbol: str, row: Any) -> None:
    reply, _, problems = await answered(pages({symbol: row, PUT: WHOLE}))

    assert [each.symbol for each in contracts(reply)] == [PUT]
    assert problems


async def test_a_chain_that_is_too_long_asks_for_an_expiration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(option_chains, "CONTRACTS_AT_MOST", 1)
    reply, _, _ = await answered(pages({CALL: {}}, {PUT: {}}))

    assert isinstance(reply, Failure)
    assert reply.code == "too_many_rows"
    assert "expiration" in reply.message


async def test_a_page_that_is_empty_and_promises_another_one_ends_the_reading() -> None:
    stub = RestStub(SPY=lambda _: page({}, "again"))
    reply, _, _ = await answered(stub)

    assert isinstance(reply, Failure)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(400, "unsupported"), (403, "upstream_failed")])
async def test_the_failure_of_rest_is_the_reply(status: int, code: str) -> None:
    stub = RestStub(SPY=lambda _: JSONResponse({"message": "not your day"}, status))
    reply, _, _ = await answered(stub)

    assert isinstance(reply, Failure)
    assert reply.code == code
    assert "not your day" in reply.message


@pytest.mark.parametrize(
    ("hours_after_noon", "seconds"),
    [
        (0, RECENT_SECONDS),
        # The close is at 21:00 UTC: trades of the delayed feed and of index options follow.
        (4.5, RECENT_SECONDS),
        (4.7, SETTLED_SECONDS),
        # The next session begins at 14:30 UTC.
        (21.3, SETTLED_SECONDS),
        (21.45, RECENT_SECONDS),
    ],
)
async def test_a_reply_is_kept_as_long_as_it_is_true(
    hours_after_noon: float, seconds: float
) -> None:
    now = NOON + int(hours_after_noon * HOUR)
    _, valid, _ = await answered(pages({CALL: WHOLE}), now=now)

    assert valid == seconds


@pytest.mark.parametrize(
    ("symbol", "terms"),
    [
        ("AAPL261218C00172500", ("call", date(2026, 12, 18), 172.5)),
        ("SPXW261218P04925000", ("put", date(2026, 12, 18), 4925.0)),
        ("AAPL1261218C00100000", ("call", date(2026, 12, 18), 100.0)),
        ("F280121C00000500", ("call", date(2028, 1, 21), 0.5)),
    ],
)
def test_the_terms_are_those_of_the_symbol(symbol: str, terms: tuple[str, date, float]) -> None:
    assert terms_of(symbol) == terms


@pytest.mark.parametrize("text", ["SPY", "BTC/USD", "SPY261332C00500000", "SPY   261218C00500000"])
def test_other_symbols_have_no_terms(text: str) -> None:
    with pytest.raises(ValueError, match=r"option|month|day"):
        terms_of(text)
