"""REST as a capture has it: the same request, another time, other symbols; each answer in turn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from simulator.capture.exchange import Exchange, Question
from simulator.capture.rest_answers import RestAnswers
from tests.simulator.capture.written import (
    Capture,
    client_of,
    received,
    replaying,
    subscribe,
    trade,
    until_ended,
)

NEVER = 1 << 62


def exchange(at: int, target: str, body: object, status: int = 200) -> Exchange:
    packed = Exchange.pack(msgspec.json.encode(body))
    return Exchange(Question.of("GET", target), at, 0, status, packed)


def asked(
    answers: RestAnswers, target: str, position: int = 0, latest: int | None = None
) -> object:
    """Return the status and the body of an answer, or None."""
    question = Question.of("GET", target)
    found = answers.take(question, position, position if latest is None else latest)
    return None if found is None else (found.status, msgspec.json.decode(found.body))


def test_each_request_gets_the_next_response_and_the_last_one_again() -> None:
    answers = RestAnswers([exchange(at, "/v2/clock", at, 200 + at) for at in (1, 2, 3)])

    found = [asked(answers, "/v2/clock", latest=NEVER) for _ in range(4)]
    assert found == [(201, 1), (202, 2), (203, 3), (203, 3)]


def test_a_response_that_was_overtaken_is_skipped() -> None:
    answers = RestAnswers([exchange(at, "/v2/clock", at) for at in (1, 2, 3, 9)])

    assert asked(answers, "/v2/clock", 3) == (200, 3)


def test_a_response_that_lies_ahead_is_given_only_if_there_is_none_before() -> None:
    answers = RestAnswers([exchange(at, "/v2/clock", at) for at in (5, 9)])

    assert [asked(answers, "/v2/clock", position) for position in (0, 6, 8, 9)] == [
        *((200, 5), (200, 5), (200, 5), (200, 9))
    ]


def test_the_same_time_comes_before_any_time_and_the_order_of_symbols_does_not_matter() -> None:
    def bars(start: str, symbols: str = "IBM,SPY") -> str:
        return f"/v2/stocks/bars?start={start}&timeframe=1Min&symbols={symbols}"

    answers = RestAnswers([exchange(1, bars("1"), "one"), exchange(2, bars("2"), "two")])

    assert asked(answers, bars("2", "SPY,IBM")) == (200, "two")
    assert asked(answers, bars("1", "SPY%2CIBM")) == (200, "one")
    assert asked(answers, bars("7")) == (200, "one")
    assert asked(answers, bars("1").replace("1Min", "1Day")) is None


@pytest.mark.parametrize(
    "target", ["/v2/other", "/v2/stocks/bars?symbols=SPY", "/v2/clock?symbols=SPY"]
)
def test_a_question_that_was_not_recorded_has_no_answer(target: str) -> None:
    answers = RestAnswers(
        [exchange(1, "/v2/clock", {}), exchange(2, "/v2/other?symbols=A", {}, 500)]
    )

    assert asked(answers, target) is None


def test_rows_of_other_symbols_are_put_together() -> None:
    path = "/v2/stocks/snapshots?feed=iex&symbols="
    answers = RestAnswers(
        [
            exchange(1, path + "SPY,IBM", {"SPY": 1, "IBM": 2}),
            exchange(2, path + "BAC,SPY", {"SPY": 3}),
            exchange(3, path + "BAC", {}, 429),
        ]
    )

    assert asked(answers, path + "SPY,BAC,AIG", 1) == (200, {"SPY": 1})
    assert asked(answers, path + "IBM,AIG", 1) == (200, {"IBM": 2})
    assert asked(answers, path + "SPY,AIG", 2) == (200, {"SPY": 3})
    assert asked(answers, path.replace("iex", "sip") + "SPY") is None


def test_rows_of_all_pages_are_put_together() -> None:
    path = "/v2/stocks/trades?limit=2&symbols="

    def page(rows: dict[str, Sequence[int]], token: str | None) -> dict[str, Any]:
        return {"trades": rows, "next_page_token": token}

    answers = RestAnswers(
        [
            exchange(1, path + "IBM,SPY", page({"IBM": [1], "SPY": [2]}, "a")),
            exchange(2, path + "IBM,SPY&page_token=a", page({"SPY": [3, 4]}, "b")),
            exchange(3, path + "IBM,SPY&page_token=b", page({"SPY": [5]}, None)),
        ]
    )

    assert asked(answers, path + "SPY") == (200, page({"SPY": [2, 3, 4, 5]}, None))
    assert asked(answers, path + "BAC,IBM") == (200, page({"IBM": [1]}, None))
    assert asked(answers, path + "AIG,BAC") == (200, page({}, None))
    assert asked(answers, path + "IBM,SPY&page_token=a") == (200, page({"SPY": [3, 4]}, "b"))


async def test_responses_follow_the_place_of_the_streams(tmp_path: Path) -> None:
    capture = Capture().rest("/v2/account", {"cash": "1"}).session(trade(1))
    capture.rest("/v2/account", {"cash": "2"}).rest("/v2/account", {"cash": "3"})
    capture.frame("sent", {"action": "subscribe"}).rest("/v2/account", {"cash": "4"}, 500)
    capture.frame("received", trade(2)).rest("/v2/orders", [{"text": "<b>ä</b>"}])
    async with (
        replaying(capture, tmp_path) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url) as http,
    ):

        async def cash() -> tuple[int, str]:
            answer = await http.get("/v2/account")
            return answer.status_code, answer.json()["cash"]

        assert await cash() == (200, "1")
        async with client_of(simulator) as client:
            await subscribe(client)
            assert await received(client, 1) == [trade(1)]
            # Not the one after the request that this client has not made.
            assert {await cash() for _ in range(4)} <= {(200, "2"), (200, "3")}
            assert await cash() == (200, "3")
            await client.send(b"request")
            assert await received(client, 1) == [trade(2)]
            await until_ended(simulator)
            assert await cash() == (500, "4")
        orders = await http.get("/v2/orders", params={"after": "2026-01-01"})
        rejected = await http.post("/v2/orders", json={})

    assert orders.text == '[{"text": "<b>ä</b>"}]' or orders.json() == [{"text": "<b>ä</b>"}]
    assert (rejected.status_code, rejected.json()) == (
        404,
        {"message": "the capture has no POST /v2/orders"},
    )
