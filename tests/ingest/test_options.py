"""Options, from the bytes of Alpaca's stream to Redis."""

import time
from decimal import Decimal
from typing import Any

import pytest

from ingest.demand import wanted
from shared import rfc3339
from shared.bus.redis_source import RedisSource
from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import Watcher, relay
from tests.services import until
from tests.simulator.client import endpoint_state
from tests.simulator.option_data import quote

NS = 1_000_000_000
CALL = "SPY301220C00500000"
OTHER = "SPY301220P00400000"
PLUS = SimulatorSettings(tape=None, positions=(), plan="plus")
LATE_NS = 15 * 60 * NS


def state(simulator: Simulator, feed: str = "indicative") -> dict[str, Any]:
    return endpoint_state(simulator, feed)


def at(seconds_ago: float = 0) -> str:
    return rfc3339.from_nanoseconds(time.time_ns() - int(seconds_ago * NS))


async def trade(simulator: Simulator, price: float, symbol: str = CALL, **fields: Any) -> None:
    """Have a trade happen, as the delayed feed shows it now."""
    given = {"T": "t", "S": symbol, "p": price, "s": 3, "x": "N", "c": "I", "t": at(900)}
    await simulator.publish(given | fields)


async def until_on(simulator: Simulator, feed: str = "indicative", **channels: list[str]) -> None:
    await until(
        lambda: all(state(simulator, feed)[name] == each for name, each in channels.items())
    )


async def last(watching: Watcher, kind: str) -> dict[str, Any]:
    found = await watching.last(CALL, kind)
    assert found is not None
    return found[1]


async def test_the_option_stream_is_connected_while_a_client_watches_a_contract(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.2)
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until(lambda: endpoint_state(simulator)["subscriptions"] == ["SPY"])
        assert state(simulator)["connections_total"] == 0
        await watching.watch(CALL)
        await until_on(simulator, trades=[CALL])
        await watching.leave(CALL)
        await until(lambda: state(simulator)["connections"] == 0)

    assert endpoint_state(simulator)["connections_total"] == 1


async def test_prices_and_trades_of_the_indicative_feed_are_delayed_and_quotes_indicative(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        for kind in ("price", "trade", "quote"):
            await watching.watch(CALL, kind=kind)
        await until_on(simulator, trades=[CALL], quotes=[CALL])
        await simulator.publish(quote(CALL, 2.5, 2.75))
        await trade(simulator, 2.6)
        await watching.until_price(CALL, 2.6)
        price, best = await last(watching, "price"), await last(watching, "quote")
        [(_, print_)] = await watching.history(f"trade:{CALL}")
        status = await watching.status()

    assert (price["delayed"], print_["delayed"], best["indicative"]) == (True, True, True)
    assert (price["size"], price["exchange"], price["conditions"]) == (3, "N", ["I"])
    assert (print_["id"], print_["tape"], print_["eligible"]) == (None, None, True)
    assert (best["bid"], best["bid_size"], best["ask"], best["ask_size"]) == (2.5, 20, 2.75, 66)
    assert price["timestamp"] == print_["timestamp"] < at(800)
    assert status is not None
    assert status.alarms == [], "a delayed feed is not late"


async def test_those_of_opra_are_neither(source: RedisSource) -> None:
    async with relay(source, PLUS, alpaca_option_feed="opra") as (simulator, watching, _):
        for kind in ("price", "trade", "quote"):
            await watching.watch(CALL, kind=kind)
        await until_on(simulator, "opra", trades=[CALL], quotes=[CALL])
        await simulator.publish(quote(CALL, 2.5, 2.75))
        await trade(simulator, 2.6, t=at())
        await watching.until_price(CALL, 2.6)
        price, best = await last(watching, "price"), await last(watching, "quote")
        [(_, print_)] = await watching.history(f"trade:{CALL}")

    assert "delayed" not in price | print_
    assert "indicative" not in best
    assert state(simulator)["connections_total"] == 0


@pytest.mark.parametrize("condition", list("ABCDEFGtu"))
async def test_cancelled_and_late_prints_are_on_the_tape_and_no_price(
    source: RedisSource, condition: str
) -> None:
    async with relay(source) as (simulator, watching, _):
        await watching.watch(CALL)
        await watching.watch(CALL, kind="trade")
        await until_on(simulator, trades=[CALL])
        await trade(simulator, 2.5)
        await trade(simulator, 9.5, c=condition)
        await trade(simulator, 2.6)
        await watching.until_price(CALL, 2.6)
        tape = [
            (row["price"], row["eligible"]) for _, row in await watching.history(f"trade:{CALL}")
        ]

    assert tape == [(2.5, True), (9.5, False), (2.6, True)]


async def test_a_malformed_message_is_counted_and_affects_nothing_else(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await watching.watch(CALL)
        await watching.watch(CALL, kind="quote")
        await until_on(simulator, trades=[CALL], quotes=[CALL])
        odd: list[dict[str, Any]] = [
            {"T": "t", "S": CALL, "p": None},
            {"T": "t"},
            {"T": "q", "S": CALL, "bp": "x"},
            {"T": "q", "S": None},
        ]
        simulator.faults.send_messages("indicative", odd)
        simulator.faults.garbage("indicative")
        await watching.until_state("live")

        async def is_back() -> bool:
            return bool(state(simulator)["trades"] == [CALL])

        await until(is_back)
        await trade(simulator, 2.6)
        await watching.until_price(CALL, 2.6)

        async def are_counted() -> bool:
            status = await watching.status()
            return status is not None and status.malformed["options"] > len(odd)

        await until(are_counted)


async def test_contracts_beyond_the_limit_of_quotes_are_polled_and_their_trades_come_live(
    source: RedisSource,
) -> None:
    limited = SimulatorSettings(tape=None, positions=(), option_limits={"quotes": 1})
    async with relay(source, limited) as (simulator, watching, _):
        await watching.watch(CALL, kind="quote", viewers=2)
        await until_on(simulator, quotes=[CALL])
        await watching.watch(OTHER, kind="quote")
        await watching.watch(OTHER)
        await until_on(simulator, trades=[OTHER], quotes=[CALL])
        await simulator.publish(quote(OTHER, 7.5, 7.75))

        async def is_polled() -> bool:
            found = await watching.last(OTHER, "quote")
            return found is not None and found[1]["bid"] == 7.5

        await until(is_polled)
        await trade(simulator, 7.6, OTHER)
        await watching.until_price(OTHER, 7.6)

    assert state(simulator)["quotes"] in ([], [CALL])


async def test_options_that_are_not_served_have_a_state_with_the_reason(
    source: RedisSource,
) -> None:
    async with relay(source, alpaca_option_feed="off") as (simulator, watching, _):
        await watching.watch(CALL)
        status = await watching.until_symbol(CALL, "rejected")

    assert "ALPACA_OPTION_FEED" in status["reason"]
    assert state(simulator)["connections_total"] == 0


async def test_a_position_in_a_contract_is_valued_by_each_trade_of_opra(
    source: RedisSource,
) -> None:
    held = Holding(CALL, Decimal(2), Decimal("1.5"))
    settings = SimulatorSettings(tape=None, positions=(held,), plan="plus")
    async with relay(source, settings, alpaca_option_feed="opra") as (simulator, watching, _):
        await until_on(simulator, "opra", trades=[CALL])
        await trade(simulator, 2.6, t=at())

        async def is_valued() -> bool:
            found = await watching.last(CALL, "position")
            return found is not None and found[1]["current_price"] == 2.6

        await until(is_valued)
        position = await last(watching, "position")

    assert position["price_source"] == "trade"
    assert position["market_value"] == 520


async def test_a_contract_that_alpaca_does_not_list_is_unknown(source: RedisSource) -> None:
    async with relay(source) as (_, watching, _):
        await watching.watch(CALL)
        await watching.until_unknown(CALL)
