"""The simulator's own endpoints, as another process or a person with curl uses them."""

import base64
import inspect
from typing import Any

import httpx
import pytest

from simulator.faults.catalogue import Faults
from simulator.faults.fault_requests import NAMES
from simulator.service import Simulator
from tests.simulator.client import endpoint_state, open_stream


async def post(simulator: Simulator, path: str, body: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=simulator.rest_url) as client:
        if isinstance(body, str):
            return await client.post(f"/simulator/{path}", content=body)
        return await client.post(f"/simulator/{path}", json=body)


def test_every_fault_can_be_asked_for() -> None:
    public = {name for name, _ in inspect.getmembers(Faults, inspect.isfunction) if name[0] != "_"}

    assert set(NAMES) == public - {"pause", "end"}


async def test_an_armed_fault_is_shown_until_it_has_struck(quiet: Simulator) -> None:
    fault = {"fault": "refuse_auth", "feed": "iex", "code": 406, "count": 2}
    answer = await post(quiet, "faults", fault)
    async with httpx.AsyncClient() as client:
        state = (await client.get(f"{quiet.rest_url}/simulator/state")).json()

    assert (answer.status_code, answer.json()) == (200, fault | {"connections": None})
    assert [(one["fault"], one["target"], one["times_left"]) for one in state["faults"]] == [
        ("refuse_auth", "iex", 2)
    ]


async def test_without_a_feed_a_fault_is_armed_for_each(quiet: Simulator) -> None:
    await post(quiet, "faults", {"fault": "refuse_upgrade", "seconds": 5})
    shown: Any = quiet.state()["faults"]
    names = ["iex", "sip", "test", "news", "crypto", "us-1", "eu-1", "indicative", "opra"]
    assert [one["target"] for one in shown] == [*names, "account"]
    assert (await post(quiet, "faults", {"fault": "clear"})).status_code == 200
    assert quiet.state()["faults"] == []


async def test_a_fault_strikes_and_tells_how_many(quiet: Simulator) -> None:
    payload = base64.b64encode(b"\x00\x01").decode()
    async with open_stream(quiet) as client:
        await client.sign_in()
        answer = await post(quiet, "faults", {"fault": "send", "feed": "iex", "payload": payload})
        received = await client.connection.recv()
        await post(quiet, "faults", {"fault": "send_messages", "messages": [{"T": "t", "S": "A"}]})
        [trade] = await client.receive()

    assert answer.json()["connections"] == 1
    assert received == b"\x00\x01"
    assert trade["S"] == "A"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("no json", "the body is not a JSON object"),
        ("[]", "the body is not a JSON object"),
        ({"fault": "explode"}, "fault is 'explode', expected one of refuse_upgrade, "),
        ({"fault": ["mute"]}, "fault is ['mute']"),
        ({"fault": "pause", "seconds": 1}, "fault is 'pause'"),
        ({"fault": "mute", "feed": "spy"}, "feed is 'spy', expected one of iex, sip, test, news"),
        ({"fault": "huge", "feed": "account"}, "feed is 'account', expected one of iex, sip"),
        ({"fault": "stale_positions", "seconds": 0}, "seconds is 0.0, expected a number above 0"),
        ({"fault": "mute", "for": 5}, "mute has no for, expected any of feed, seconds"),
        ({"fault": "mute", "seconds": "5"}, "seconds is '5': Expected `float | null`"),
        ({"fault": "send_text", "feed": "iex"}, "send_text lacks text"),
        ({"fault": "refuse_upgrade", "status": 99}, "status is 99, expected 400 to 599"),
        ({"fault": "send", "payload": "%%"}, "payload is '%%'"),
    ],
)
async def test_a_bad_fault_is_400_and_explained(quiet: Simulator, body: Any, problem: str) -> None:
    answer = await post(quiet, "faults", body)

    assert answer.status_code == 400
    assert problem in answer.json()["message"]


async def test_other_processes_publish_to_those_who_subscribed(quiet: Simulator) -> None:
    messages = [
        {"T": "t", "S": "SPY", "p": 1.5, "s": 1, "feed": "iex"},
        {"T": "t", "S": "IBM", "p": 2.5, "s": 1},
        {"T": "n", "id": 1, "headline": "h", "symbols": ["SPY"]},
    ]
    async with open_stream(quiet) as client, open_stream(quiet, "news") as news:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY"]})
        await news.sign_in()
        await news.ask({"action": "subscribe", "news": ["*"]})
        answer = await post(quiet, "publish", messages)
        [trade] = await client.receive()
        [article] = await news.receive()

    assert answer.json() == {"published": 3}
    assert (trade["p"], "feed" in trade) == (1.5, False)
    assert article["headline"] == "h"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{}", "not a JSON array"),
        ([{"T": "z"}], "\"T\" is 'z', expected one of t q b u d s l c x i n"),
        ([{"S": "SPY"}], '"T" is None'),
        ([{"T": "t", "feed": "x"}], "feed is 'x', expected one of iex, sip, test, news"),
        ([{"T": "t", "feed": 1}], "feed is 1"),
        ([{"T": "t", "t": "noon"}], "\"t\" is 'noon', expected RFC-3339 text"),
    ],
)
async def test_one_bad_message_and_nothing_is_published(
    quiet: Simulator, body: Any, problem: str
) -> None:
    good = {"T": "t", "S": "SPY", "p": 1.5, "s": 1}
    async with open_stream(quiet) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY"]})
        answer = await post(quiet, "publish", [good, *body] if isinstance(body, list) else body)
        await client.ask({"action": "subscribe"})

    assert answer.status_code == 400
    assert problem in answer.json()["message"]
    assert endpoint_state(quiet)["messages_sent"] == 0
