"""The news stream. Headlines, authors and URLs are Benzinga's, as alpacahq/alpaca-trade-api-go has
them in marketdata/rest_test.go (Apache-2.0).
"""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.client import endpoint_state, open_stream

WAYMO: dict[str, Any] = {
    "T": "n",
    "id": 20472678,
    "headline": "CEO John Krafcik Leaves Waymo",
    "author": "Bibhu Pattnaik",
    "created_at": "2021-04-03T15:35:21Z",
    "updated_at": "2021-04-03T15:35:21Z",
    "url": "https://www.benzinga.com/news/21/04/20472678/ceo-john-krafcik-leaves-waymo",
    "symbols": ["GOOG", "GOOGL", "TSLA"],
}
MADE_UP: dict[str, Any] = {
    "T": "n",
    "id": 1,
    "headline": "Nothing about any company",
    "symbols": [],
}


@pytest.mark.parametrize("form", Format)
async def test_an_article_arrives_with_its_times(quiet: Simulator, form: Format) -> None:
    async with open_stream(quiet, "news", form) as client:
        await client.sign_in()
        answer = await client.ask({"action": "subscribe", "news": ["TSLA"]})
        await quiet.publish(WAYMO)
        [article] = await client.receive()

    assert answer == {"T": "subscription", "news": ["TSLA"]}
    times = [article[name] for name in ("created_at", "updated_at")]
    if form is Format.MSGPACK:
        times = [rfc3339.render(time.to_unix_nano()) for time in times]
    assert times == ["2021-04-03T15:35:21Z"] * 2
    assert {key: article[key] for key in ("T", "id", "headline", "symbols")} == {
        key: WAYMO[key] for key in ("T", "id", "headline", "symbols")
    }


@pytest.mark.parametrize(
    ("symbols", "wanted"),
    [
        (["*"], [20472678, 1]),
        (["GOOG", "TSLA", "*"], [20472678, 1]),
        (["GOOG", "TSLA"], [20472678]),
        (["AAPL"], []),
    ],
)
async def test_an_article_comes_once_to_who_wants_any_of_its_symbols(
    quiet: Simulator, symbols: list[str], wanted: list[int]
) -> None:
    async with open_stream(quiet, "news") as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "news": symbols})
        await quiet.publish(WAYMO)
        await quiet.publish(MADE_UP)
        received = await client.receive_data(len(wanted))
        await client.ask({"action": "subscribe"})
        assert [article["id"] for article in received] == wanted
        assert endpoint_state(quiet, "news")["messages_sent"] == len(wanted)
        assert endpoint_state(quiet, "news")["news"] == sorted(symbols)


async def test_the_news_stream_has_one_channel_and_one_connection(quiet: Simulator) -> None:
    keys = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
    async with open_stream(quiet, "news") as first, open_stream(quiet, "news") as second:
        await first.sign_in()
        assert (await first.ask({"action": "subscribe", "trades": ["SPY"]}))["code"] == 410
        await second.control()
        assert (await second.ask(keys))["code"] == 406
    async with open_stream(quiet) as stocks:
        await stocks.sign_in()
        assert (await stocks.ask({"action": "subscribe", "news": ["*"]}))["code"] == 410


async def test_a_plan_may_lack_the_news() -> None:
    keys = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
    async with (
        Simulator(SimulatorSettings(tape=None, news=False)) as simulator,
        open_stream(simulator, "news") as client,
        open_stream(simulator) as stocks,
    ):
        await client.control()
        assert await client.ask(keys) == {
            "T": "error",
            "code": 409,
            "msg": "insufficient subscription",
        }
        await stocks.sign_in()
