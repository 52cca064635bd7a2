"""The account from the broker to Redis: a real simulator, a real Valkey, and whatever breaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ingest.portfolio import order_log, stream_witness
from ingest.upstream import account_handler, broker_reports
from shared import message
from shared.bus.redis_source import RedisSource
from shared.topics import ACCOUNT, ORDERS
from simulator.account.ledger import Holding
from simulator.faults.catalogue import Faults
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.pace import patient_for
from tests.ingest.watching import trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

HELD = (
    Holding("BAC", Decimal(100), Decimal("13.5")),
    Holding("IBM", Decimal(-20), Decimal("182.35")),
)
FEED = "account"


@pytest.fixture(autouse=True)
def _only_if_asked_for(monkeypatch: pytest.MonkeyPatch, reports_at_once: None) -> None:
    """No report comes unless something asks for it."""
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 1000)
    monkeypatch.setattr(broker_reports, "BROKER_REPORT_SECONDS", 1000)


class Books:
    """What Redis says of the account."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def value(self, topic: str) -> dict[str, Any]:
        """Return a topic's last value; nothing where there is none."""
        stored: Any = await self.client.get(KEYSPACE.last(topic))
        found: dict[str, Any] = {} if stored is None else json.loads(message.unpack(stored).body)
        return found

    async def until_qty(self, symbol: str, qty: float | None) -> None:
        """Wait until so much is held; None: until it is closed."""

        async def is_so() -> bool:
            held = await self.value(f"position:{symbol}")
            return bool(held) and (held["qty"], held["removed"]) == (qty, qty is None)

        await until(is_so)

    async def until_account(self, **values: Any) -> dict[str, Any]:
        """Wait until the account says so; return it."""

        async def is_so() -> bool:
            told = await self.value(ACCOUNT)
            return bool(told) and values.items() <= told.items()

        await until(is_so)
        return await self.value(ACCOUNT)

    async def orders(self) -> list[tuple[str, str, bool]]:
        """Return the history of orders: event, symbol, recovered."""
        entries: Any = await self.client.xrange(KEYSPACE.history(ORDERS))
        told = [json.loads(fields[b"data"]) for _, fields in entries]
        return [(each["event"], each["symbol"], each["recovered"]) for each in told]

    async def until_orders(self, *orders: tuple[str, str, bool]) -> None:
        """Wait until these have been published, and no others."""

        async def is_so() -> bool:
            return await self.orders() == [*orders]

        await until(is_so)


@asynccontextmanager
async def brokerage(
    source: RedisSource, *held: Holding, ingest: bool = True, **settings: Any
) -> AsyncIterator[tuple[Simulator, Books]]:
    """Run a simulator with holdings, and an ingest that hears of them."""
    simulated = SimulatorSettings(tape=None, positions=held, **settings)
    async with Simulator(simulated) as simulator, source.client("books") as client:
        if not ingest:
            yield simulator, Books(client)
            return
        async with running_ingest(source, simulator):
            books = Books(client)
            await books.until_account(state="live")
            yield simulator, books


async def test_what_is_held_is_told_subscribed_and_revalued_by_every_price(
    source: RedisSource,
) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        await until_subscribed(simulator, "BAC", "IBM")
        assert (await books.value("position:BAC"))["reason"].startswith("the tape has no price")
        assert (await books.value(ACCOUNT))["unpriced"] == ["BAC", "IBM"]

        await trade(simulator, "BAC", 14.01)
        await trade(simulator, "IBM", 181.85)
        told = await books.until_account(unpriced=[], unrealized_pl=61.0)
        bac = await books.value("position:BAC")

    assert (bac["current_price"], bac["price_source"]) == (14.01, "trade")
    assert (bac["market_value"], bac["unrealized_pl"]) == (1401, 51)
    assert (told["equity"], told["partial"]) == (25000 + 1401 - 3637, False)


async def test_a_fill_is_told_at_once_as_order_position_and_cash(source: RedisSource) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        await simulator.fill("BAC", Decimal(50), Decimal(14))
        await books.until_qty("BAC", 150)
        await simulator.fill("F", Decimal(10), Decimal(15))
        await books.until_qty("F", 10)
        await simulator.fill("IBM", Decimal(20), Decimal(180))
        await books.until_qty("IBM", None)
        told = await books.until_account(positions=["BAC", "F"])

        assert told["cash"] == 25000 - 700 - 150 - 3600
        assert await books.orders() == [
            (event, symbol, False) for symbol in ("BAC", "F", "IBM") for event in ("new", "fill")
        ]
        await until_subscribed(simulator, "BAC", "F", "IBM")  # IBM lingers


async def test_no_quote_ever_values_a_position(source: RedisSource) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        await trade(simulator, "BAC", 14)
        await books.until_account(unpriced=["IBM"])
        one_sided = {"T": "q", "S": "BAC", "bp": 0, "bs": 0, "ap": 20.0, "as": 5}
        for quote in (one_sided, {**one_sided, "bp": 19.0, "bs": 5}):
            await simulator.publish(quote)
        await trade(simulator, "IBM", 181)
        told = await books.until_account(unpriced=[])
        bac = await books.value("position:BAC")

    assert (bac["current_price"], told["long_market_value"]) == (14, 1400)


async def test_a_position_that_opens_takes_a_slot_from_what_is_only_watched(
    source: RedisSource,
) -> None:
    async with (
        brokerage(source, HELD[0], symbol_limit=2) as (simulator, _),
        watcher(source) as watching,
    ):
        await trade(simulator, "SPY", 170)  # REST knows it
        await watching.watch("SPY", viewers=100)
        await until_subscribed(simulator, "BAC", "SPY")
        await simulator.fill("F", Decimal(10), Decimal(15))

        await until_subscribed(simulator, "BAC", "F")
        assert (await watching.until_symbol("SPY", "polled"))["symbol"] == "SPY"


@pytest.mark.parametrize("fault", ["reset", "fin", "close", "error", "garbage"])
async def test_fills_while_the_stream_is_away_are_recovered(
    source: RedisSource, fault: str
) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        if fault == "garbage":  # that ends nothing
            simulator.faults.garbage(FEED)
            simulator.faults.reset(FEED)
        else:
            getattr(simulator.faults, fault)(FEED)
        simulator.faults.refuse_upgrade(FEED, status=503, count=1)
        await simulator.fill("BAC", Decimal(-100), Decimal(14))
        await books.until_qty("BAC", None)
        await until(lambda: bool(endpoint_state(simulator, FEED)["streams"]))
        await books.until_orders(("fill", "BAC", True))
        await simulator.fill("IBM", Decimal(5), Decimal(180))
        await books.until_qty("IBM", -15)
        await books.until_orders(
            ("fill", "BAC", True), ("new", "IBM", False), ("fill", "IBM", False)
        )
        assert (await books.until_account(state="live", positions=["IBM"]))["reason"] is None


async def test_a_stream_that_has_gone_mute_is_replaced_and_what_it_kept_is_recovered(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_reports, "BROKER_REPORT_SECONDS", 0.5)
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.5)
    monkeypatch.setattr(stream_witness, "EXPLANATION_SECONDS", 0.5)
    monkeypatch.setattr(order_log, "ON_ITS_WAY_NS", 200_000_000)
    async with brokerage(source, *HELD) as (simulator, books):
        first = endpoint_state(simulator, FEED)["sessions_total"]
        simulator.faults.mute(FEED)
        await simulator.fill("BAC", Decimal(-40), Decimal(14))
        await books.until_qty("BAC", 60)  # REST knows
        await until(lambda: endpoint_state(simulator, FEED)["sessions_total"] > first)
        await books.until_orders(("fill", "BAC", True))
        await simulator.fill("BAC", Decimal(-60), Decimal(14))
        await books.until_qty("BAC", None)


async def test_fees_in_coins_and_expiries_leave_the_accounts_stream_alone(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = "AAPL240119C00100000"
    monkeypatch.setattr(broker_reports, "BROKER_REPORT_SECONDS", 0.1)
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.1)
    monkeypatch.setattr(stream_witness, "EXPLANATION_SECONDS", 0.2)
    monkeypatch.setattr(order_log, "ON_ITS_WAY_NS", 100_000_000)
    monkeypatch.setattr(account_handler, "COMPARE_SECONDS", 0.05)
    held = Holding("BTCUSD", Decimal("0.5"), Decimal(60000)), Holding(option, Decimal(2))
    async with brokerage(source, *held) as (simulator, books):
        await simulator.fill("BTC/USD", Decimal("0.1"), Decimal(60000))
        await books.until_qty("BTC/USD", 0.59975)
        simulator.faults.activity(symbol=option, qty=Decimal(-2))
        await books.until_qty(option, None)
        seen = set[str]()

        async def has_reported_often() -> bool:
            seen.add((await books.value(ACCOUNT))["as_of"])
            return len(seen) > 8

        await until(has_reported_often)
        assert endpoint_state(simulator, FEED)["sessions_total"] == 1
        assert (await books.value(ACCOUNT))["state"] == "live"


async def test_no_event_of_the_account_contains_half_of_a_fill(source: RedisSource) -> None:
    async with brokerage(source, HELD[0]) as (simulator, books):
        for symbol in ("BAC", "F"):
            await simulator.publish({"T": "t", "S": symbol, "p": 14.0, "s": 100})
        worth = (await books.until_account(unpriced=[]))["equity"]
        equities: list[float] = []
        async with books.client.pubsub() as listening:
            await listening.subscribe(ACCOUNT)
            simulator.faults.torn_report(symbol="F", qty=Decimal(100), price=Decimal(14))
            await simulator.fill("F", Decimal(1), Decimal(14))
            async with asyncio.timeout(LIMIT_SECONDS):
                while True:
                    got = await listening.get_message(
                        ignore_subscribe_messages=True, timeout=LIMIT_SECONDS
                    )
                    told = {} if got is None else json.loads(message.unpack(got["data"]).body)
                    if told and not told["partial"]:
                        equities.append(told["equity"])
                    if told.get("cash") == 25000 - 1414 and not told["partial"]:
                        break
    assert set(equities) == {worth}


async def test_rest_behind_the_stream_takes_nothing_back(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        told: list[float] = []
        async with books.client.pubsub() as listening:
            await listening.subscribe("position:BAC")
            simulator.faults.stale_positions(seconds=1.5)
            await simulator.fill("BAC", Decimal(50), Decimal(14))
            await simulator.fill("BAC", Decimal(50), Decimal(14))
            await books.until_account(cash=25000 - 1400.0)
            asked = len(told)
            async with asyncio.timeout(LIMIT_SECONDS):
                while asked < 3:
                    got = await listening.get_message(
                        ignore_subscribe_messages=True, timeout=LIMIT_SECONDS
                    )
                    if got is not None:
                        told.append(json.loads(message.unpack(got["data"]).body)["qty"])
                        asked = len(told)
                        if told[-1] == 200 and asked >= 2:
                            break
        await books.until_account(cash=25000 - 1400.0, state="live")

    assert told == sorted(told)
    assert told[-1] == 200


async def test_a_broker_that_cannot_be_heard_is_said_to_be_stale_and_asked_more_often(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.05)
    async with brokerage(source, *HELD) as (simulator, books):
        simulator.faults.refuse_upgrade(FEED, status=429, count=1000)
        simulator.faults.reset(FEED)
        told = await books.until_account(state="stale")
        assert "account's stream is disconnected" in told["reason"]
        assert told["positions"] == ["BAC", "IBM"]
        await simulator.fill("BAC", Decimal(1), Decimal(14))
        await books.until_qty("BAC", 101)


@pytest.mark.parametrize(
    "fault", [Faults.mute_after_connect, Faults.mute_after_auth, Faults.ignore_subscribe]
)
async def test_a_broker_that_falls_silent_before_it_tells_anything_is_asked_again(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    patient_for(1.0, monkeypatch)
    async with brokerage(source, *HELD, ingest=False) as (simulator, books):
        fault(simulator.faults, FEED)
        async with running_ingest(source, simulator):
            await books.until_account(state="live")
            await simulator.fill("BAC", Decimal(1), Decimal(14))
            await books.until_orders(("new", "BAC", False), ("fill", "BAC", False))
            assert endpoint_state(simulator, FEED)["connections_total"] == 2


async def test_the_accounts_only_stream_can_be_left_to_others(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.05)
    async with (
        brokerage(source, *HELD, ingest=False) as (simulator, books),
        running_ingest(source, simulator, alpaca_trade_updates=False),
    ):
        told = await books.until_account(state="live")
        assert told["positions"] == ["BAC", "IBM"]
        await simulator.fill("BAC", Decimal(1), Decimal(14))
        await books.until_qty("BAC", 101)
        await books.until_orders(("fill", "BAC", True))

        assert endpoint_state(simulator, FEED)["connections_total"] == 0


async def test_wrong_keys_of_the_account_leave_prices_alone(source: RedisSource) -> None:
    async with brokerage(source, *HELD, ingest=False) as (simulator, books):
        simulator.faults.refuse_auth(FEED, count=1000)
        async with running_ingest(source, simulator):

            async def is_refused() -> bool:
                told = await books.value(ACCOUNT)  # before that it is stale and being connected
                return told.get("state") == "stale" and "unauthorized" in told["reason"]

            await until(is_refused)
            await until_subscribed(simulator, "BAC", "IBM")
            await trade(simulator, "BAC", 14)

            async def is_so() -> bool:
                return (await books.value("position:BAC")).get("current_price") == 14

            await until(is_so)
        assert endpoint_state(simulator, FEED)["connections_total"] == 1


async def test_the_next_leader_tells_what_happened_while_nobody_led(source: RedisSource) -> None:
    async with brokerage(source, *HELD) as (simulator, books):
        await simulator.fill("BAC", Decimal(50), Decimal(14))
        await books.until_qty("BAC", 150)
        port = simulator.port
    async with brokerage(source, *HELD, ingest=False, port=port) as (simulator, books):
        async with running_ingest(source, simulator):
            await books.until_qty("BAC", 100)  # the account started over while no ingest led
            await simulator.fill("BAC", Decimal(1), Decimal(14))
            await books.until_qty("BAC", 101)
        before = await books.orders()
        await simulator.fill("IBM", Decimal(20), Decimal(180))
        await simulator.fill("BAC", Decimal(1), Decimal(14))
        async with running_ingest(source, simulator):
            await books.until_qty("IBM", None)
            await books.until_qty("BAC", 102)
            await books.until_orders(*before, ("fill", "IBM", True), ("fill", "BAC", True))


async def test_a_redis_that_was_emptied_is_told_everything_again(source: RedisSource) -> None:
    coin = Holding("BTCUSD", Decimal("0.5"), Decimal(19000))
    async with brokerage(source, *HELD, coin) as (simulator, books):
        await trade(simulator, "BAC", 14)
        held = ["BAC", "BTC/USD", "IBM"]
        await books.until_account(positions=held, unpriced=held[1:])
        await books.client.flushall()

        assert (await books.until_account(positions=held))["state"] == "live"
        for symbol, qty in (("BAC", 100), ("BTC/USD", 0.5), ("IBM", -20)):
            await books.until_qty(symbol, qty)


async def test_a_pair_is_valued_at_the_tapes_price_and_an_option_at_the_brokers(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.1)
    option = "AAPL240119C00100000"
    held = (
        Holding("BTCUSD", Decimal("0.5"), Decimal(19000)),
        Holding(option, Decimal(2), Decimal(1)),
    )
    async with brokerage(source, *held) as (simulator, books):
        await simulator.publish({"T": "t", "S": "BTC/USD", "p": 19444.0, "s": 1})
        await simulator.publish({"T": "t", "S": option, "p": 1.25, "s": 1})
        told = await books.until_account(unpriced=[], unrealized_pl=222 + 50.0)
        coin, contract = (
            await books.value("position:BTC/USD"),
            await books.value(f"position:{option}"),
        )

    assert told["positions"] == [option, "BTC/USD"]
    assert (coin["market_value"], coin["price_source"]) == (9722, "trade")
    assert (contract["market_value"], contract["unrealized_pl"]) == (250, 50)


async def test_nothing_of_the_account_is_logged(source: RedisSource) -> None:
    with capture_logs() as lines:
        async with brokerage(source, *HELD) as (simulator, books):
            simulator.faults.send_text(
                FEED, '{"stream":"trade_updates","data":{"event":"fill","order":{"symbol":"BAC"}}}'
            )
            simulator.faults.garbage(FEED)
            await trade(simulator, "BAC", 14.01)
            await simulator.fill("BAC", Decimal(-100), Decimal("13.37"))
            await books.until_qty("BAC", None)
            simulator.faults.reset(FEED)
            await until(lambda: endpoint_state(simulator, FEED)["sessions_total"] == 2)
    text = json.dumps([line for line in lines if line["log_level"] != "debug"], default=str)
    assert len(lines) > 3
    for secret in ("BAC", "IBM", "13.37", "1337", "25000", "26337"):
        assert secret not in text
