"""The faults of pairs and of contracts strike their own stream, and nothing of stocks."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from simulator.faults.catalogue import Faults
from tests.chaos.markets import CONTRACTS_FEED, PAIRS_FEED
from tests.chaos.other_feeds import OTHER_FEEDS
from tests.chaos.trading import Trading

FEEDS = {"pairs": PAIRS_FEED, "contracts": CONTRACTS_FEED}


class Struck:
    """Stands for the simulator's faults: notes the stream, or the path of REST, of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        def strike(feed: str = "", *_: object, **given: Any) -> int:
            self.calls.append((name, feed or given["path"]))
            return 1

        return strike


class Market:
    """Stands for the trading: notes whose symbols are asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def some_other_trades(self, feed: str) -> list[dict[str, Any]]:
        self.asked.append(feed)
        return [{"T": "t", "S": f"of {feed}", "t": 1}]

    def another(self, feed: str) -> str:
        self.asked.append(feed)
        return f"of {feed}"


async def strike(kind: str) -> tuple[list[tuple[str, str]], list[str]]:
    struck, market = Struck(), Market()
    _, act = OTHER_FEEDS[kind]
    await act(cast("Faults", struck), cast("Trading", market), 1.0)
    return struck.calls, market.asked


@pytest.mark.parametrize("kind", [each for each in OTHER_FEEDS if not each.startswith("others_")])
async def test_each_strikes_the_stream_of_its_name_alone(kind: str) -> None:
    feed = FEEDS[kind.partition("_")[0]]
    calls, asked = await strike(kind)

    assert {of for _, of in calls} == {feed}
    assert {*asked} <= {feed}


async def test_rest_fails_for_pairs_and_contracts_and_not_for_stocks() -> None:
    calls, _ = await strike("others_rest_error")

    assert calls == [("rest", "/v1beta1/"), ("rest", "/v1beta3/")]


def test_both_streams_have_the_same_faults() -> None:
    kinds = {market: set[str]() for market in FEEDS}
    for kind in OTHER_FEEDS:
        market, _, name = kind.partition("_")
        if market in kinds:
            kinds[market].add(name)

    assert kinds["pairs"] == kinds["contracts"] > {"close", "refuse_upgrade", "withhold", "garbage"}
