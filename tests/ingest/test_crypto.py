"""Pairs, from the bytes of Alpaca's crypto stream to Redis."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from ingest import market_data
from ingest.demand import lookups, wanted
from shared import rfc3339
from shared.bus.redis_source import RedisSource
from shared.message import unpack
from simulator.crypto.book_tape import GEMINI
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import DailyBar
from tests.ingest.market.book_rows import recorded
from tests.ingest.market.naive_book import top
from tests.ingest.watching import Watcher, relay
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until
from tests.simulator.client import endpoint_state

NS = 1_000_000_000
PAIR = "BTC/USD"
CHICAGO = ZoneInfo("America/Chicago")
BARE = SimulatorSettings(tape=None, positions=())


def state(simulator: Simulator) -> dict[str, Any]:
    return endpoint_state(simulator, "crypto")


@asynccontextmanager
async def watched(
    source: RedisSource, *kinds: str, settings: SimulatorSettings = BARE, **ingest: Any
) -> AsyncIterator[tuple[Simulator, Watcher]]:
    """Run an ingest, and watch kinds of topics of BTC/USD; yield once they are subscribed."""
    async with relay(source, settings, **ingest) as (simulator, watching, _):
        for kind in kinds:
            await watching.watch(PAIR, kind=kind)
        await until(lambda: _channels(simulator) >= {_CHANNELS[kind] for kind in kinds})
        yield simulator, watching


_CHANNELS = {
    "price": "trades",
    "trade": "trades",
    "quote": "quotes",
    "book": "orderbooks",
    "bar.1Min": "updatedBars",
    "bar.1Day": "dailyBars",
}


def _channels(simulator: Simulator) -> set[str]:
    return {name for name in _CHANNELS.values() if PAIR in state(simulator)[name]}


async def trade(simulator: Simulator, price: float, **fields: Any) -> None:
    """Have a trade of BTC/USD happen now."""
    await simulator.publish({"T": "t", "S": PAIR, "p": price, "s": 0.25, "tks": "B", **fields})


async def whole_book(simulator: Simulator) -> None:
    """Send the whole book of BTC/USD."""
    bids = [{"p": 64_999.0, "s": 2}, {"p": 64_999.5, "s": 1.5}]
    asks = [{"p": 65_000.5, "s": 0.25}]
    await simulator.publish({"T": "o", "S": PAIR, "b": bids, "a": asks, "r": True})


async def until_book(watching: Watcher, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until the newest view of BTC/USD is such; return it."""
    found: dict[str, Any] = {}

    async def is_so() -> bool:
        nonlocal found
        last = await watching.last(PAIR, "book")
        found = {} if last is None else last[1]
        return last is not None and true(found)

    await until(is_so)
    return found


def tops(side: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(price), float(size)) for price, size in side)


async def test_the_crypto_stream_is_connected_while_a_client_watches_a_pair(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.2)
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until(lambda: endpoint_state(simulator)["subscriptions"] == ["SPY"])
        assert state(simulator)["connections_total"] == 0
        await watching.watch(PAIR)
        await until(lambda: state(simulator)["subscriptions"] == [PAIR])
        await watching.leave(PAIR)
        await until(lambda: state(simulator)["connections"] == 0)
        await watching.watch(PAIR)
        await until(lambda: state(simulator)["subscriptions"] == [PAIR])

    assert endpoint_state(simulator)["connections_total"] == 1


async def test_each_trade_of_a_pair_is_its_last_price_with_the_taker_and_the_days_zone(
    source: RedisSource,
) -> None:
    async with watched(source, "price", "trade") as (simulator, watching):
        await trade(simulator, 65_000.5, i=3**40)
        await watching.until_price(PAIR, 65_000.5)
        found = await watching.last(PAIR)
        assert found is not None
        price = found[1]
        history = await watching.history(f"trade:{PAIR}")

    assert (price["size"], price["session"], price["day_zone"]) == (
        0.25,
        "regular",
        "America/Chicago",
    )
    assert (price["exchange"], price["tape"], price["conditions"]) == (None, None, [])
    [(_, print_)] = history
    assert (print_["id"], print_["taker_side"], print_["eligible"]) == (str(3**40), "buy", True)


async def test_a_late_trade_of_a_pair_is_on_the_tape_and_no_price(source: RedisSource) -> None:
    async with watched(source, "price", "trade") as (simulator, watching):
        now = time.time_ns()
        await trade(simulator, 65_001.0, i=2, t=rfc3339.from_nanoseconds(now))
        await trade(simulator, 65_002.0, i=1, t=rfc3339.from_nanoseconds(now - NS))
        await trade(simulator, 65_003.0, i=3)
        await watching.until_price(PAIR, 65_003.0)
        tape = [row["price"] for _, row in await watching.history(f"trade:{PAIR}")]

    assert tape == [65_001.0, 65_002.0, 65_003.0]


async def test_the_previous_close_of_a_pair_is_that_of_the_day_in_chicago(
    source: RedisSource,
) -> None:
    day = DailyBar(63_000.0, 64_500.0, 62_000.0, 64_000.0, 12.5)
    settings = replace(BARE, previous_daily_bars={PAIR: [day]})
    async with watched(source, "price", settings=settings) as (simulator, watching):
        await trade(simulator, 65_000.0)

        async def is_compared() -> bool:
            last = await watching.last(PAIR)
            return last is not None and last[1]["change"] == 1_000.0

        await until(is_compared)
        found = await watching.last(PAIR)
        assert found is not None

    assert (found[1]["previous_close"], found[1]["change_percent"]) == (64_000.0, 0.015625)


async def test_each_view_of_a_book_is_that_of_a_naive_rebuild(source: RedisSource) -> None:
    """The recorded book of LTC/ETH, as the simulator replays it, by the bytes in Redis."""
    settings = replace(BARE, crypto_tape=GEMINI, speed=4.0)
    async with relay(source, settings) as (simulator, watching, _):
        await watching.watch("LTC/ETH", kind="book")
        views: list[dict[str, Any]] = []
        async with source.client("views", subscriber=True) as client:
            pubsub = client.pubsub()
            await pubsub.subscribe(KEYSPACE.channel("book:LTC/ETH"))
            async with asyncio.timeout(LIMIT_SECONDS):
                while sum(view["valid"] for view in views) < 20:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                    if message is not None:
                        views.append(json.loads(unpack(message["data"]).body))
            await pubsub.unsubscribe()
            await pubsub.aclose()  # type: ignore[no-untyped-call]
        assert "LTC/ETH" in state(simulator)["orderbooks"]

    rows = [row for row in recorded(GEMINI.name) if row["S"] == "LTC/ETH"]
    naive = {tuple(map(tops, top(rows[: number + 1]))) for number in range(len(rows))}
    shown = [(tops(view["bids"]), tops(view["asks"])) for view in views if view["valid"]]
    assert set(shown) <= naive


async def test_a_book_is_reported_as_invalid_while_the_connection_is_lost(
    source: RedisSource,
) -> None:
    async with watched(source, "book") as (simulator, watching):
        await whole_book(simulator)
        await until_book(watching, lambda book: book["valid"])
        simulator.faults.refuse_upgrade("crypto", status=503, count=100)
        simulator.faults.close("crypto")
        lost = await until_book(watching, lambda book: not book["valid"])
        simulator.faults.clear()
        await until(lambda: PAIR in state(simulator)["orderbooks"])
        await whole_book(simulator)
        again = await until_book(watching, lambda book: book["valid"])

    assert (lost["bids"], lost["asks"]) == ([], [])
    assert lost["reason"] == "Alpaca's stream is disconnected."
    assert again["bids"] == [[64_999.5, 1.5], [64_999.0, 2]]


@pytest.mark.parametrize("bad", ["crossed", "malformed"])
async def test_a_wrong_book_is_dropped_and_subscribed_again(source: RedisSource, bad: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "crossed": {"b": [{"p": 66_000.0, "s": 1}], "a": []},
        "malformed": {"b": [{"p": "66000", "s": 1}], "a": []},
    }
    async with watched(source, "book") as (simulator, watching):
        await whole_book(simulator)
        await until_book(watching, lambda book: book["valid"])
        await simulator.publish({"T": "o", "S": PAIR, **changes[bad]})
        # The simulator answers the new subscription with its own whole book.
        await until_book(watching, lambda book: not book["valid"])
        await whole_book(simulator)
        again = await until_book(watching, lambda book: book["valid"])
        connections = state(simulator)["connections_total"]

    assert again["bids"] == [[64_999.5, 1.5], [64_999.0, 2]]
    assert connections == 1


async def test_a_quote_of_a_pair_is_published(source: RedisSource) -> None:
    async with watched(source, "quote") as (simulator, watching):
        await simulator.publish(
            {"T": "q", "S": PAIR, "bp": 64_999.9, "bs": 0.4, "ap": 65_000.1, "as": 1.25}
        )

        async def is_there() -> bool:
            last = await watching.last(PAIR, "quote")
            return last is not None and last[1]["ask"] == 65_000.1

        await until(is_there)
        found = await watching.last(PAIR, "quote")
        assert found is not None

    assert (found[1]["bid_size"], found[1]["ask_size"], found[1]["bid_exchange"]) == (
        0.4,
        1.25,
        None,
    )


async def test_prints_that_a_broken_crypto_stream_has_missed_are_fetched(
    source: RedisSource,
) -> None:
    async with watched(source, "price", "trade") as (simulator, watching):
        await trade(simulator, 65_000.0, i=1)
        await watching.until_price(PAIR, 65_000.0)
        simulator.faults.close("crypto")
        await trade(simulator, 65_010.0, i=2)
        await trade(simulator, 65_020.0, i=3)
        await watching.until_price(PAIR, 65_020.0)

        async def has_all() -> bool:
            rows = await watching.history(f"trade:{PAIR}")
            return [row["id"] for _, row in rows] == ["1", "2", "3"]

        await until(has_all)


async def test_bad_messages_about_a_pair_are_counted_and_affect_nothing_else(
    source: RedisSource,
) -> None:
    async with watched(source, "price", "trade", "quote") as (simulator, watching):
        bad: list[dict[str, Any]] = [
            {"T": "t", "S": PAIR, "p": None, "s": 1, "i": 1},
            {"T": "t", "S": PAIR, "p": "65000", "s": 1, "i": 2},
            {"T": "t", "S": PAIR, "p": 1e30, "s": 1, "i": 3},
            {"T": "t", "S": PAIR, "p": 65_000.0, "s": -1, "i": 4},
            {"T": "t", "S": None, "p": 65_000.0, "s": 1, "i": 5},
            {"T": "t", "p": 65_000.0, "s": 1, "i": 6, "S": "B" * 5000},
        ]
        await trade(simulator, 64_000.0, i=10)
        await watching.until_price(PAIR, 64_000.0)
        for each in bad:
            await simulator.publish(each, feed="crypto")
        await trade(simulator, 64_001.0, i=11)
        await watching.until_price(PAIR, 64_001.0)

        async def are_counted() -> bool:
            status = await watching.status()
            return (
                status is not None and status.malformed["crypto"] >= 4
            )  # two of them are about no subscribed pair

        await until(are_counted)
        assert state(simulator)["connections_total"] == 1


async def test_pairs_are_rejected_with_the_reason_if_their_feed_is_off(
    source: RedisSource,
) -> None:
    async with relay(source, alpaca_crypto_feed="off") as (simulator, watching, _):
        await watching.watch(PAIR)
        status = await watching.until_symbol(PAIR, "rejected")

    assert status["reason"] == "Pairs are not served: ALPACA_CRYPTO_FEED is off."
    assert state(simulator)["connections_total"] == 0


async def test_pairs_of_a_feed_that_the_plan_lacks_are_polled_and_stocks_are_streamed(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 0.2)
    async with relay(source) as (simulator, watching, _):
        simulator.faults.refuse_auth("crypto", code=409)
        await trade(simulator, 64_000.0)
        await watching.watch(PAIR, "SPY")
        await watching.until_symbol(PAIR, "polled")
        await trade(simulator, 65_000.0)
        await simulator.publish({"T": "t", "S": "SPY", "p": 100.0, "s": 100, "z": "B"})
        await watching.until_price("SPY", 100.0)
        await watching.until_price(PAIR, 65_000.0)
        status = await watching.status()

    assert status is not None
    assert status.alpaca_connected
    assert {each.name: each.state for each in status.streams}["crypto"] == "failed"


async def test_a_chart_of_a_pair_has_bars_around_the_clock_and_days_of_chicago(
    source: RedisSource,
) -> None:
    settings = replace(BARE, crypto_tape=GEMINI, history=True)
    async with relay(source, settings) as (_, watching, _):
        for kind in ("bar.1Min", "bar.1Day"):
            await watching.watch("LTC/ETH", kind=kind)

        async def are_there() -> bool:
            minutes = await watching.bars("bar.1Min:LTC/ETH")
            return len(minutes) > 100 and bool(await watching.bars("bar.1Day:LTC/ETH"))

        await until(are_there)
        minutes = sorted(await watching.bars("bar.1Min:LTC/ETH"))
        days = await watching.bars("bar.1Day:LTC/ETH")

    gaps = {later - earlier for earlier, later in pairwise(minutes[:100])}
    assert gaps == {60}
    midnights = {datetime.fromtimestamp(start, CHICAGO).time().isoformat() for start in days}
    assert midnights == {"00:00:00"}


async def test_bars_of_stocks_and_pairs_come_in_one_answer_for_a_gateway(
    source: RedisSource,
) -> None:
    settings = SimulatorSettings(crypto_tape=GEMINI, positions=(), history=True)
    async with relay(source, settings), running_gateway(source) as url:
        query = {"symbols": "SPY,LTC/ETH", "timeframe": "1Day", "limit": "3"}
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as client:

            async def has_both() -> bool:
                found = (await client.get("/api/bars", params=query)).json().get("bars", {})
                return all(len(found.get(symbol, ())) == 3 for symbol in ("SPY", "LTC/ETH"))

            await until(has_both)


async def test_a_position_in_a_pair_is_revalued_by_each_trade_of_the_venue(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        await simulator.fill("BTCUSD", Decimal(2), Decimal(60_000))
        await until(lambda: PAIR in state(simulator)["trades"])
        await trade(simulator, 65_000.0)

        async def is_revalued() -> bool:
            last = await watching.last(PAIR, "position")
            return last is not None and last[1]["current_price"] == 65_000.0

        await until(is_revalued)
        found = await watching.last(PAIR, "position")
        assert found is not None

    position = found[1]
    assert (position["price_source"], position["reason"]) == ("trade", None)
    # The fee is taken from the coins.
    assert position["qty"] < 2
    assert position["market_value"] == round(position["qty"] * 65_000.0, 2)
