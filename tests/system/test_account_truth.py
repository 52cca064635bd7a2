"""Five hundred orders while everything breaks: the stream, REST and a ledger agree to the cent."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ingest.portfolio.portfolio import Portfolio
from ingest.upstream import broker_reports
from shared import rfc3339
from shared.bus.redis_source import RedisSource
from simulator.account.ledger import CASH, Holding
from simulator.faults.catalogue import Faults
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import DailyBar
from tests.event_stream import EventStream, open_stream
from tests.services import running_gateway, running_ingest, until
from tests.simulator.client import KEYS, endpoint_state

ORDERS = 500
SITTINGS = 8
"""How often the client comes, and loses its gateway's connection to Redis when it goes."""

PRICES = {"SPY": 167.4, "IBM": 181.7, "BAC": 13.9, "AIG": 49.0}
FEEDS = ("account", "iex")
FIGURES = ("market_value", "cost_basis", "unrealized_pl", "unrealized_intraday_pl")
RATIOS = ("unrealized_plpc", "unrealized_intraday_plpc", "change_today")


class Market:
    """Quotes and trades by hand, from a seed."""

    def __init__(self, simulator: Simulator, dice: random.Random) -> None:
        self._simulator = simulator
        self._dice = dice
        self._cents = {symbol: round(price * 100) for symbol, price in PRICES.items()}

    async def move(self, symbol: str) -> None:
        """Quote a symbol again, with sizes that may not suffice for an order, and trade it."""
        cents = self._cents[symbol] = max(100, self._cents[symbol] + self._dice.randint(-9, 9))
        bid, ask = (cents - 1) / 100, (cents + 1) / 100
        sizes = {"bs": self._dice.choice((3, 400)), "as": self._dice.choice((3, 400))}
        await self._simulator.publish({"T": "q", "S": symbol, "bp": bid, "ap": ask, **sizes})
        await self._simulator.publish({"T": "t", "S": symbol, "p": cents / 100, "s": 100, "z": "B"})

    def price(self, symbol: str) -> float:
        """Return what it was traded at last."""
        return self._cents[symbol] / 100


class Trader:
    """Sends orders over REST like any client."""

    def __init__(self, simulator: Simulator, http: httpx.AsyncClient) -> None:
        self._url = f"{simulator.rest_url}/v2"
        self._http = http

    async def get(self, path: str) -> Any:
        answer = await self._http.get(f"{self._url}/{path}", headers=KEYS)
        answer.raise_for_status()
        return answer.json()

    async def order(self, dice: random.Random, market: Market) -> None:
        symbol = dice.choice(list(PRICES))
        asked: dict[str, Any] = {
            "symbol": symbol,
            "qty": str(dice.choice((1, 2, 7, 12.5, 40))),
            "side": dice.choice(("buy", "sell")),
            "time_in_force": "gtc",
            "type": "market",
        }
        if dice.random() < 0.3:
            away = dice.choice((-0.05, 0.0, 0.05))
            asked |= {"type": "limit", "limit_price": f"{market.price(symbol) + away:.2f}"}
        answer = await self._http.post(f"{self._url}/orders", headers=KEYS, json=asked)
        assert answer.status_code in (200, 403), answer.text  # 403: the buying power is used up

    async def cancel_all(self) -> None:
        await self._http.delete(f"{self._url}/orders", headers=KEYS)


class Reader:
    """A client that folds what its streams bring, and comes back with its cursor."""

    def __init__(self) -> None:
        self.positions: dict[str, dict[str, Any]] = {}
        self.account: dict[str, Any] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.gaps: list[dict[str, Any]] = []
        self.executions: set[str] = set()
        self._taken = 0
        self._cursor = "0-0"

    @asynccontextmanager
    async def reading(self, url: str) -> AsyncIterator[EventStream]:
        self._taken = 0
        query = {"topics": "position:*,account,orders", "interval": "0.05"}
        headers = {"Last-Event-ID": self._cursor}
        async with open_stream(url, "/api/stream", headers=headers, **query) as stream:
            await stream.until_kind("ready")
            held = {each["symbol"] for each in stream.of("position")}
            self.positions = {s: each for s, each in self.positions.items() if s in held}
            yield stream
            self.take(stream)

    def take(self, stream: EventStream) -> None:
        for event in stream.events[self._taken :]:
            self._cursor = event.id or self._cursor
            match event.kind:
                case "position" if event.data["removed"]:
                    self.positions.pop(event.data["symbol"], None)
                case "position":
                    self.positions[event.data["symbol"]] = event.data
                case "account":
                    self.account = event.data
                case "orders":
                    self.orders[event.data["order"]["id"]] = event.data["order"]
                    self.executions.add(event.data["execution_id"])
                case "gap":
                    self.gaps.append(event.data)
        self._taken = len(stream.events)


def cents(amount: Any) -> float | None:
    return None if amount is None else float(Decimal(amount).quantize(Decimal("0.01")) + 0)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the broker's as the stream shows it."""
    ratios = {
        name: None if row[name] is None else float(round(Decimal(row[name]), 6)) for name in RATIOS
    }
    return {"qty": float(row["qty"]), **{name: cents(row[name]) for name in FIGURES}, **ratios}


def figures(events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what position events say, without when they said it."""
    names = ("qty", *FIGURES, *RATIOS)
    return {event["symbol"]: {name: event[name] for name in names} for event in events}


def ledger_of(orders: list[dict[str, Any]]) -> tuple[Decimal, dict[str, float]]:
    """Return the cash and the quantities that orders have led to."""
    cash, held = CASH, defaultdict[str, Decimal](Decimal)
    for order in orders:
        if order["filled_qty"] != "0":
            sign = 1 if order["side"] == "buy" else -1
            qty = sign * Decimal(order["filled_qty"])
            held[order["symbol"]] += qty
            cash -= qty * Decimal(order["filled_avg_price"])
    return cash, {symbol: float(qty) for symbol, qty in held.items() if qty}


STRIKES: Sequence[Callable[[Faults, random.Random], object]] = (
    lambda faults, dice: faults.reset(dice.choice(FEEDS)),
    lambda faults, dice: faults.fin(dice.choice(FEEDS)),
    lambda faults, dice: faults.close(dice.choice(FEEDS)),
    lambda faults, dice: faults.error(dice.choice(FEEDS)),
    lambda faults, dice: faults.mute(dice.choice(FEEDS), seconds=0.5),
    lambda faults, dice: faults.garbage(dice.choice(FEEDS)),
    lambda faults, _: faults.rest(status=503, path="/v2/positions", count=2),
    lambda faults, _: faults.stale_positions(seconds=0.5),
    lambda faults, _: faults.late_updates(seconds=0.5),
    lambda faults, _: faults.lost_updates(count=2),
    lambda faults, _: faults.swapped_updates(),
    lambda faults, _: faults.torn_report(symbol="SPY", qty=Decimal(3), price=Decimal("167.5")),
    lambda faults, dice: faults.second_row(symbol=dice.choice(list(PRICES)), seconds=0.5),
)
"""Faults of the connections, of REST, and of the account itself."""


async def trade_and_break(
    dice: random.Random, simulator: Simulator, market: Market, trader: Trader
) -> None:
    for _ in range(ORDERS // SITTINGS):
        await market.move(dice.choice(list(PRICES)))
        await trader.order(dice, market)
        await asyncio.sleep(0.01)
        if dice.random() < 0.1:
            dice.choice(STRIKES)(simulator.faults, dice)


@pytest.mark.parametrize("seed", [7])
async def test_after_500_orders_and_random_losses_stream_rest_and_ledger_agree_to_the_cent(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(broker_reports, "BROKER_REPORT_SECONDS", 2.0)
    monkeypatch.setattr(broker_reports, "REST_ONLY_REPORT_SECONDS", 0.5)
    monkeypatch.setattr(broker_reports, "REPORT_SPACING_SECONDS", 0.1)
    dice = random.Random(seed)  # noqa: S311
    closes = {symbol: [DailyBar(o=p, h=p, l=p, c=p, v=1)] for symbol, p in PRICES.items()}
    settings = SimulatorSettings(
        tape=None, positions=(), requests_per_minute=100_000, previous_daily_bars=closes
    )
    reader, updates = Reader(), list[Mapping[str, Any]]()
    async with (
        Simulator(settings, on_update=updates.append) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        source.client("killer") as killer,
        httpx.AsyncClient() as http,
    ):
        market, trader = Market(simulator, dice), Trader(simulator, http)
        for symbol in PRICES:
            await market.move(symbol)
        await until(lambda: bool(endpoint_state(simulator, "account")["streams"]))
        for _ in range(SITTINGS):
            async with reader.reading(url):
                await trade_and_break(dice, simulator, market, trader)
            await killer.client_kill_filter(_type="pubsub")
        simulator.faults.clear()
        await trader.cancel_all()
        for symbol in PRICES:
            await market.move(symbol)

        orders = await trader.get("orders?status=all&limit=500")
        cash, quantities = ledger_of(orders)
        rest = {row["symbol"]: shown(row) for row in await trader.get("positions")}
        worth = await trader.get("account")

        async with reader.reading(url) as stream:

            def agree() -> bool:
                reader.take(stream)
                told = {each: order["status"] for each, order in reader.orders.items()}
                return (
                    figures(reader.positions.values()) == rest
                    and reader.account.get("equity") == cents(worth["equity"])
                    and told == {order["id"]: order["status"] for order in orders}
                )

            with suppress(TimeoutError):  # what differs is shown below
                await until(agree)
            stored = (await http.get(f"{url}/api/positions")).json()

    assert len(orders) > 300
    assert sum(order["filled_qty"] != "0" for order in orders) > 200
    assert {symbol: row["qty"] for symbol, row in rest.items()} == quantities
    assert cents(worth["cash"]) == cents(cash)
    assert figures(reader.positions.values()) == figures(stored["positions"]) == rest
    for name in ("cash", "equity", "long_market_value", "short_market_value", "last_equity"):
        assert reader.account[name] == cents(worth[name]), name
    assert reader.account["state"] == "live"
    assert {each: order["status"] for each, order in reader.orders.items()} == {
        order["id"]: order["status"] for order in orders
    }
    assert {each: order["filled_qty"] for each, order in reader.orders.items()} == {
        order["id"]: float(order["filled_qty"]) for order in orders
    }
    lost = [
        update["timestamp"]
        for update in updates
        if "execution_id" in update and update["execution_id"] not in reader.executions
    ]
    for gap in reader.gaps:
        assert (gap["topics"], gap["reason"]) == (["orders"], "upstream_lost")
        since, until_ = map(rfc3339.to_nanoseconds, (gap["from"], gap["to"]))
        assert any(since < rfc3339.to_nanoseconds(at) < until_ for at in lost), gap


async def test_between_reports_every_price_values_positions_as_the_broker_does(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_reports, "REPORT_SPACING_SECONDS", 0.1)
    dice = random.Random(11)  # noqa: S311
    closes = {symbol: [DailyBar(o=p, h=p, l=p, c=p, v=1)] for symbol, p in PRICES.items()}
    held = (Holding("SPY", Decimal(30), Decimal("161.5")), Holding("IBM", Decimal(-20)))
    settings = SimulatorSettings(
        tape=None, positions=held, requests_per_minute=100_000, previous_daily_bars=closes
    )
    reader = Reader()
    async with (
        Simulator(settings) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        httpx.AsyncClient() as http,
    ):
        market, trader = Market(simulator, dice), Trader(simulator, http)
        for symbol in PRICES:
            await market.move(symbol)
        for symbol, qty, price in (
            ("SPY", "10.5", "167"),  # held since yesterday, and more of it
            ("SPY", "-5.25", "168"),
            ("IBM", "-3", "182"),
            ("BAC", "137", "13.91"),
            ("AIG", "-7", "49.1"),
        ):
            await simulator.fill(symbol, Decimal(qty), Decimal(price))
        async with reader.reading(url) as stream:

            def settled() -> bool:
                reader.take(stream)
                return len(reader.positions) == 4 and reader.account["unpriced"] == []

            await until(settled)
            await until(lambda: figures_match(trader, reader, stream))
            monkeypatch.setattr(Portfolio, "on_report", _no_report)
            for _ in range(100):
                await market.move(dice.choice(list(PRICES)))
                await until(lambda: figures_match(trader, reader, stream))
    assert {symbol: row["side"] for symbol, row in reader.positions.items()} == {
        "AIG": "short",
        "BAC": "long",
        "IBM": "short",
        "SPY": "long",
    }


def _no_report(*_: object) -> bool:
    return True


async def figures_match(trader: Trader, reader: Reader, stream: EventStream) -> bool:
    rest = {row["symbol"]: shown(row) for row in await trader.get("positions")}
    reader.take(stream)
    return figures(reader.positions.values()) == rest
