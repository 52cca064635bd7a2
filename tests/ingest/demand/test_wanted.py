"""Which symbols are wanted, and how long after their last viewer."""

import asyncio

import pytest

from ingest.demand import wanted as module
from ingest.demand.wanted import LINGER_SECONDS, RECLAIM_SECONDS, Demand
from shared.markets import CRYPTO
from shared.topics import KINDS
from tests.ingest.demand.wants import Clock
from tests.limits import LIMIT_SECONDS

TRADES, QUOTES = frozenset({"trades"}), frozenset({"quotes"})


def symbols(demand: Demand) -> list[str]:
    return [want.symbol for want in demand.wanted()]


def test_positions_come_first_then_the_most_watched_and_ties_by_name() -> None:
    demand = Demand(Clock())
    demand.update({"price:IBM": 1, "price:SPY": 2, "price:AAPL": 1, "price:BAC": 1})
    demand.set_positions(["BAC", "GE"])

    assert symbols(demand) == ["BAC", "GE", "SPY", "AAPL", "IBM"]
    assert [want.position for want in demand.wanted()] == [True, True, False, False, False]
    assert [want.viewers for want in demand.wanted()] == [1, 0, 2, 1, 1]


def test_each_kind_of_topic_needs_its_channel() -> None:
    demand = Demand(Clock())
    demand.update({"status:A": 1, "trade:B": 1, "quote:C": 4, "price:D": 2, "quote:D": 3})
    wants = {want.symbol: want for want in demand.wanted()}

    assert {symbol: want.channels for symbol, want in wants.items()} == {
        "A": TRADES,
        "B": TRADES,
        "C": QUOTES,
        "D": TRADES | QUOTES,
    }
    assert wants["D"].viewers == 3, "a client that watches both counts once"


@pytest.mark.parametrize(
    "topic", [*(f"{kind}:SPY" for kind in KINDS), "news:*", "position:*", "odd.new kind:SPY", "*"]
)
def test_whatever_is_claimed_harms_nothing(topic: str) -> None:
    """Gateways pass on topics that are not published yet, and newer ones know more of them."""
    clock = Clock()
    demand = Demand(clock)
    demand.update({topic: 1})

    assert symbols(demand) in ([], ["SPY"])
    assert demand.watches(topic)
    assert demand.recorded_topics() <= {topic}
    assert demand.news_symbols() <= {"SPY", "*"}
    demand.update({})
    clock.now += RECLAIM_SECONDS
    demand.update({})
    assert not demand.watches(topic)


def test_only_stocks_are_wanted_and_each_symbol_once() -> None:
    demand = Demand(Clock())
    demand.update(
        dict.fromkeys(["price:spy", "price:SPY", "news:*", "price:BTC/USD", "price:", "x", ""], 1)
    )

    assert symbols(demand) == ["SPY"]


def test_a_symbol_lingers_after_its_last_viewer_and_comes_last() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update({"price:AAPL": 5, "price:SPY": 1})
    demand.update({"price:SPY": 1})
    assert symbols(demand) == ["SPY", "AAPL"]
    assert [(want.lingering, want.viewers) for want in demand.wanted()] == [(False, 1), (True, 0)]

    clock.now += LINGER_SECONDS - 0.001
    demand.update({"price:SPY": 2})
    assert symbols(demand) == ["SPY", "AAPL"]
    clock.now += 0.001
    assert symbols(demand) == ["SPY"]


def test_a_channel_lingers_by_itself() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update({"price:SPY": 1, "quote:SPY": 1})
    demand.update({"price:SPY": 1})
    [want] = demand.wanted()
    assert (want.channels, want.lingering) == (TRADES | QUOTES, False)

    clock.now += LINGER_SECONDS
    assert demand.wanted()[0].channels == TRADES


def test_who_comes_back_in_time_lingers_anew_after_leaving_again() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update({"price:AAPL": 1})
    demand.update({})
    clock.now += LINGER_SECONDS - 1
    demand.update({"price:AAPL": 1})
    clock.now += 100
    assert not demand.wanted()[0].lingering
    demand.update({})
    clock.now += LINGER_SECONDS - 1
    assert symbols(demand) == ["AAPL"]


def test_a_closed_position_lingers_like_a_symbol_that_is_left() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.set_positions(["GE"])
    demand.set_positions([])
    assert [want.lingering for want in demand.wanted()] == [True]
    clock.now += LINGER_SECONDS
    assert demand.wanted() == []


def test_what_lingers_is_not_watched() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update({"trade:SPY": 0, "price:IBM": 1})
    assert demand.watches("trade:SPY"), "a gateway keeps it for clients that reconnect"
    demand.update({"price:IBM": 1})
    clock.now += RECLAIM_SECONDS
    demand.update({"price:IBM": 1})
    assert not demand.watches("trade:SPY")
    assert not demand.watches("trade:IBM")
    assert symbols(demand) == ["IBM", "SPY"]


def test_topics_stay_watched_until_gateways_repeat_their_claims_after_redis_was_emptied() -> None:
    clock = Clock()
    demand = Demand(clock)
    claims = {"trade:SPY": 1, "news:*": 1, "orders": 1}
    demand.update(claims)

    demand.update({})
    clock.now += RECLAIM_SECONDS / 2
    demand.update({})
    assert demand.watches("trade:SPY")
    assert demand.recorded_topics() == set(claims)

    demand.update(claims)
    demand.update({})
    clock.now += RECLAIM_SECONDS / 2
    demand.update({})
    assert demand.watches("trade:SPY"), "the time counts from the newest claim"


def test_news_are_wanted_by_symbol_or_all() -> None:
    demand = Demand(Clock())
    demand.update({"news:SPY": 1, "price:IBM": 1})
    assert demand.news_symbols() == {"SPY"}
    demand.update({"news:SPY": 1, "news:*": 2})
    assert demand.news_symbols() == {"SPY", "*"}


def test_what_is_wanted_has_a_bound_and_the_least_watched_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_SYMBOLS", 3)
    demand = Demand(Clock())
    demand.update({f"price:S{viewers}": viewers for viewers in range(1, 6)})
    demand.set_positions(["GE"])
    assert symbols(demand) == ["GE", "S5", "S4"]
    assert demand.left_out == 3

    for number in range(20):
        demand.update({f"price:T{number}": 1})
    demand.set_positions([])
    assert symbols(demand) == ["T19", "GE", "T17"]
    assert demand.left_out == 1


async def test_a_change_wakes_everybody_who_waits() -> None:
    demand = Demand(Clock())
    waiting = [asyncio.create_task(demand.wait_for_change(60)) for _ in range(3)]
    await asyncio.sleep(0)
    demand.update({"price:SPY": 1})

    async with asyncio.timeout(LIMIT_SECONDS):
        await asyncio.gather(*waiting)


async def test_the_same_demand_again_wakes_nobody() -> None:
    demand = Demand(Clock())
    demand.update({"price:SPY": 1})
    demand.set_positions(["GE"])
    waiting = asyncio.create_task(demand.wait_for_change(60))
    await asyncio.sleep(0)
    demand.update({"price:SPY": 1})
    demand.set_positions(["GE"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


def test_the_wanted_symbols_are_one_set_until_they_change() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update({"price:SPY": 1, "quote:IBM": 1})
    first = demand.symbols()
    demand.update({"price:SPY": 1, "quote:IBM": 1})

    assert first == {"SPY", "IBM"}
    assert demand.symbols() is first
    demand.update({"price:SPY": 1})
    clock.now += LINGER_SECONDS
    assert demand.symbols() == {"SPY"}


def test_each_market_wants_the_symbols_of_its_form_alone() -> None:
    stocks, pairs = Demand(lambda: 0.0), Demand(lambda: 0.0, CRYPTO)
    claimed = {"price:SPY": 1, "price:BTC/USD": 2, "book:BTC/USD": 1, "bar.1Min:ETH/USD": 1}
    for demand in (stocks, pairs):
        demand.update(claimed)
        demand.set_positions(["BRK.B", "LTC/USD", "not a symbol"])

    assert {(want.symbol, want.channels) for want in stocks.wanted()} == {
        ("SPY", frozenset({"trades"})),
        ("BRK.B", frozenset({"trades"})),
    }
    assert {(want.symbol, want.channels) for want in pairs.wanted()} == {
        ("BTC/USD", frozenset({"trades", "orderbooks"})),
        ("ETH/USD", frozenset({"bars"})),
        ("LTC/USD", frozenset({"trades"})),
    }
    assert (set(stocks.charts()), set(pairs.charts())) == (set(), {"ETH/USD"})


def test_the_bands_of_a_wanted_symbol_that_may_be_halted_are_wanted_as_well() -> None:
    demand = Demand(Clock())
    demand.update({"price:SPY": 1, "bar.1Min:IBM": 1})
    demand.set_may_be_halted(["SPY", "GE"])
    before = demand.wanted()
    assert {want.symbol: want.channels for want in before} == {
        "SPY": TRADES | {"lulds"},
        "IBM": {"bars"},
    }

    demand.set_may_be_halted(["GE", "SPY"])
    assert demand.wanted() is before
    demand.set_may_be_halted([])
    assert {want.symbol: want.channels for want in demand.wanted()}["SPY"] == TRADES


async def test_a_symbol_that_may_be_halted_wakes_those_that_wait_for_a_change() -> None:
    demand = Demand(Clock())
    demand.update({"price:SPY": 1})
    waiting = asyncio.create_task(demand.wait_for_change(LIMIT_SECONDS))
    await asyncio.sleep(0)
    demand.set_may_be_halted(["SPY"])

    async with asyncio.timeout(LIMIT_SECONDS / 2):
        await waiting


def test_imbalances_need_their_channel_and_have_a_history() -> None:
    demand = Demand(Clock())
    demand.update({"imbalance:SPY": 1, "luld:SPY": 1})

    assert [want.channels for want in demand.wanted()] == [{"imbalances", "lulds"}]
    assert demand.recorded_topics() == {"imbalance:SPY"}
