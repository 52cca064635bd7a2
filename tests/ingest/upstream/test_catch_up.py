"""The prints that are fetched and handed on, and those that are unavailable."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest.demand.lookups import OpenGap
from ingest.market.prints import TradeId
from ingest.market.rest_prints import Fate, RestPrint
from ingest.upstream import catch_up, market_rest, translation
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.catch_up import CatchUp
from shared import rfc3339
from tests.ingest.trades import NOON, SECOND
from tests.ingest.upstream.rest_stub import RestStub, printed, stubbed, symbols_of

NOW = NOON / SECOND


class Heard:
    """Records its calls."""

    def __init__(self) -> None:
        self.prints: dict[str, list[list[RestPrint]]] = {}
        self.gaps: list[tuple[list[str], float]] = []
        self.withdrawable: dict[str, float] = {}
        self.fails_for = ""

    def withdrawable_since(self, symbol: str) -> float | None:
        return self.withdrawable.get(symbol)

    def on_missed_prints(self, symbol: str, prints: Sequence[RestPrint], since_ns: int) -> None:
        assert since_ns % SECOND == 0
        if symbol == self.fails_for:
            raise ZeroDivisionError
        self.prints.setdefault(symbol, []).append(list(prints))

    def on_unrepairable_gap(self, symbols: Sequence[str], since: float) -> None:
        self.gaps.append((list(symbols), since))

    def ids(self) -> dict[str, list[TradeId | None]]:
        return {
            symbol: [each.trade.id for part in parts for each in part]
            for symbol, parts in self.prints.items()
        }


def row(number: int, seconds: float, **fields: Any) -> dict[str, Any]:
    at = rfc3339.from_nanoseconds(NOON + int(seconds * SECOND))
    return {"t": at, "p": 5.5, "s": 1, "i": number, "x": "V", "z": "B", "c": ["@", "I"], **fields}


def answering(
    trades: dict[str, list[Any]] | None, token: str | None = None
) -> Callable[[Request], Response]:
    return lambda _: JSONResponse({"trades": trades, "next_page_token": token})


async def caught_up(
    answer: Callable[[Request], Response], missed: dict[str, OpenGap], feed: str = "iex"
) -> tuple[Heard, RestStub]:
    heard, stub = Heard(), RestStub(trades=answer)
    async with stubbed(stub, feed) as rest:
        await CatchUp(rest, heard, clock=lambda: NOW).run(missed)
    return heard, stub


async def test_rows_come_as_prints_with_their_fate() -> None:
    rows = [
        row(1, -3),
        row(2, -1),
        row(3, 1, u="canceled"),
        row(4, 1, u="incorrect"),
        row(5, 1.000000001, u="corrected"),
        row(6, 2, p=0),
    ]
    missed = {"SPY": OpenGap(NOW), "IBM": OpenGap(NOW)}
    heard, _ = await caught_up(answering({"SPY": rows}), missed)

    assert (heard.ids(), heard.gaps, missed) == ({"SPY": [2, 3, 4, 5]}, [], {})
    [found] = heard.prints["SPY"]
    fates = [Fate.STANDS, Fate.CANCELED, Fate.INCORRECT, Fate.CORRECTED]
    assert [each.fate for each in found] == fates
    last = found[-1].trade
    assert last.at_ns == NOON + SECOND + 1
    assert (last.symbol, last.price, last.size, last.exchange, last.tape, last.conditions) == (
        "SPY",
        5.5,
        1,
        "V",
        "B",
        ("@", "I"),
    )


async def test_withdrawn_prints_are_fetched_from_before_the_loss_and_others_are_not() -> None:
    rows = [row(1, -800, u="canceled"), row(2, -700), row(3, -2)]
    heard, stub = Heard(), RestStub(trades=answering({"SPY": rows}))
    heard.withdrawable = {"SPY": NOW - 800}  # and a millisecond before it
    async with stubbed(stub) as rest:
        missed = {"SPY": OpenGap(NOW - 1), "IBM": OpenGap(NOW - 1)}
        await CatchUp(rest, heard, clock=lambda: NOW).run(missed)

    assert heard.ids() == {"SPY": [1, 3]}
    starts = {each.query_params["symbols"]: each.query_params["start"] for each in stub.requests}
    assert {symbols: start[11:19] for symbols, start in starts.items()} == {
        "IBM": "16:59:57",
        "SPY": "16:46:39",
    }


async def test_the_prints_of_the_delayed_feed_are_as_old_as_its_delay() -> None:
    late = row(1, -14 * 60), row(2, -15 * 60 - 1), row(3, -15 * 60 - 3)
    heard, _ = await caught_up(answering({"SPY": list(late)}), {"SPY": OpenGap(NOW)}, "delayed_sip")
    assert heard.ids() == {"SPY": [1, 2]}


async def test_no_trades_at_all_are_an_answer() -> None:
    heard, _ = await caught_up(answering(None), {"SPY": OpenGap(NOW)})
    assert (heard.prints, heard.gaps) == ({}, [])


async def test_many_prints_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "PRINTS_AT_ONCE", 2)
    rows = [row(number, number) for number in range(5)]
    heard, _ = await caught_up(answering({"SPY": rows}), {"SPY": OpenGap(NOW)})

    assert [len(part) for part in heard.prints["SPY"]] == [2, 2, 1]
    assert heard.ids() == {"SPY": [0, 1, 2, 3, 4]}


async def test_pages_are_joined() -> None:
    def answer(request: Request) -> Response:
        page = int(request.query_params.get("page_token", "1"))
        token = str(page + 1) if page < 3 else None
        trades = {"IBM": [row(page, page)]} if page < 3 else {"SPY": [row(page, page)]}
        return JSONResponse({"trades": trades, "next_page_token": token})

    heard, stub = await caught_up(answer, {"SPY": OpenGap(NOW), "IBM": OpenGap(NOW)})

    assert (heard.ids(), heard.gaps) == ({"IBM": [1, 2], "SPY": [3]}, [])
    assert {each.query_params["limit"] for each in stub.requests} == {"10000"}


async def test_of_a_truncated_answer_the_last_symbols_are_missed() -> None:
    missed = {symbol: OpenGap(NOW) for symbol in ("A", "B", "C", "D")}
    heard, stub = await caught_up(answering({"A": [row(1, 1)], "B": [row(2, 1)]}, "more"), missed)

    assert len(stub.requests) == market_rest.PAGES_AT_MOST
    assert heard.gaps == [(["B"], NOW), (["C"], NOW), (["D"], NOW)]
    assert heard.ids() == {"A": [1, 1, 1], "B": [2, 2, 2]}
    assert missed == {}


async def test_symbols_that_missed_much_more_are_asked_for_apart() -> None:
    missed = {"A": OpenGap(NOW - 3), "B": OpenGap(NOW - 100), "C": OpenGap(NOW - 1)}
    _, stub = await caught_up(printed, missed)

    assert [each.query_params["symbols"] for each in stub.requests] == ["A,C", "B"]
    assert [each.query_params["start"][11:19] for each in stub.requests] == ["16:59:55", "16:58:18"]


async def test_what_could_not_be_had_is_left() -> None:
    def answer(request: Request) -> Response:
        if "B" in symbols_of(request):
            return JSONResponse({"message": "no"}, 403)
        return printed(request)

    missed = {"A": OpenGap(NOW), "B": OpenGap(NOW - 100)}
    with pytest.raises(RestError):
        await caught_up(answer, missed)
    assert list(missed) == ["B"]


async def test_a_malformed_row_is_a_gap_of_its_symbol_alone() -> None:
    rows: dict[str, list[Any]] = {
        "A": [row(1, 1), {"t": "yesterday", "p": 1, "s": 1}, row(2, 2)],
        "B": [row(1, 1)],
        "C": ["?"],
    }
    heard, _ = await caught_up(answering(rows), {s: OpenGap(NOW) for s in rows})

    assert heard.ids() == {"A": [1, 2], "B": [1], "C": []}
    assert heard.gaps == [(["A"], NOW), (["C"], NOW)]


async def test_an_error_that_no_rule_expects_is_a_gap_of_its_symbol_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def print_of_row(symbol: str, given: Any, on_problem: Any) -> RestPrint | None:
        if symbol == "B":
            raise ZeroDivisionError
        return readable(symbol, given, on_problem)

    readable = translation.print_of_row
    monkeypatch.setattr(translation, "print_of_row", print_of_row)
    heard, stub = Heard(), RestStub(trades=printed)
    heard.fails_for = "A"
    async with stubbed(stub) as rest:
        await CatchUp(rest, heard, clock=lambda: NOW).run({s: OpenGap(NOW) for s in "ABC"})

        assert rest.malformed.count == 2
        assert rest.malformed.first == "trades of A: ZeroDivisionError()"
    assert list(heard.ids()) == ["B", "C"]
    assert heard.gaps == [(["A"], NOW), (["B"], NOW)]


@pytest.mark.parametrize("body", [[], {"trades": [1]}, {"trades": {"SPY": {}}}])
async def test_an_answer_of_another_form_is_an_error(body: Any) -> None:
    with pytest.raises(RestError):
        await caught_up(lambda _: JSONResponse(body), {"SPY": OpenGap(NOW)})


async def test_the_delayed_feed_is_the_history_of_all_exchanges_a_quarter_of_an_hour_ago() -> None:
    _, stub = await caught_up(printed, {"SPY": OpenGap(NOW)}, feed="delayed_sip")

    [asked] = [each.query_params for each in stub.requests]
    assert (asked["feed"], asked["start"]) == ("sip", "2026-11-16T16:44:58+00:00")
    assert "end" in asked
