"""Which symbols are wanted, and how long after their last watcher."""

import asyncio

from ingest.demand.wanted import LINGER_SECONDS, Demand


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_most_watched_come_first_and_ties_by_name() -> None:
    demand = Demand(Clock())
    demand.update(["price:IBM", "price:SPY", "price:AAPL", "price:SPY"])

    assert demand.wanted() == ["SPY", "AAPL", "IBM"]


def test_a_symbol_lingers_after_its_last_watcher_and_comes_last() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update(["price:AAPL", "price:SPY"])
    demand.update(["price:SPY"])
    assert demand.wanted() == ["SPY", "AAPL"]

    clock.now += LINGER_SECONDS - 0.001
    demand.update(["price:SPY"])
    assert demand.wanted() == ["SPY", "AAPL"]

    clock.now += 0.001
    assert demand.wanted() == ["SPY"]


def test_who_comes_back_in_time_lingers_anew_after_leaving_again() -> None:
    clock = Clock()
    demand = Demand(clock)
    demand.update(["price:AAPL"])
    demand.update([])
    clock.now += LINGER_SECONDS - 1
    demand.update(["price:AAPL"])
    assert demand.wanted() == ["AAPL"]
    clock.now += 100
    assert demand.wanted() == ["AAPL"]
    demand.update([])
    clock.now += LINGER_SECONDS - 1
    assert demand.wanted() == ["AAPL"]


def test_only_stock_prices_are_wanted_and_each_symbol_once() -> None:
    demand = Demand(Clock())
    demand.update(["price:spy", "price:SPY", "news:*", "price:BTC/USD", "price:", "rubbish", ""])

    assert demand.wanted() == ["SPY"]


async def test_a_change_wakes_everybody_who_waits() -> None:
    demand = Demand(Clock())
    waiting = [asyncio.create_task(demand.wait_for_change(60)) for _ in range(3)]
    await asyncio.sleep(0)
    demand.update(["price:SPY"])

    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)


async def test_the_same_demand_again_wakes_nobody() -> None:
    demand = Demand(Clock())
    demand.update(["price:SPY"])
    waiting = asyncio.create_task(demand.wait_for_change(60))
    await asyncio.sleep(0)
    demand.update(["price:SPY"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not waiting.done()
    demand.update(["price:SPY", "price:SPY"])
    async with asyncio.timeout(10):
        await waiting


async def test_waiting_ends_after_its_limit() -> None:
    async with asyncio.timeout(10):
        await Demand(Clock()).wait_for_change(0.01)
