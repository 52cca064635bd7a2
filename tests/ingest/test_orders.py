"""Orders from the broker to Redis: several legs, and orders that replace others."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.topics import ORDERS
from tests.ingest.test_account import Books, brokerage
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until
from tests.simulator.client import KEYS, endpoint_state

pytestmark = pytest.mark.usefixtures("reports_at_once")

PUT, CALL = "AAPL270321P00200000", "AAPL270321C00380000"


async def events(books: Books) -> list[dict[str, Any]]:
    entries: Any = await books.client.xrange(KEYSPACE.history(ORDERS))
    return [json.loads(fields[b"data"]) for _, fields in entries]


async def test_a_multi_leg_fill_changes_the_positions_of_its_legs_before_rest_knows_of_it(
    source: RedisSource,
) -> None:
    async with brokerage(source) as (simulator, books):
        simulator.faults.stale_positions(seconds=1000)
        legs = {PUT: Decimal(1), CALL: Decimal(-2)}
        await simulator.fill_legs(legs, [Decimal("1.6"), Decimal("0.25")], parts=2)
        await books.until_qty(PUT, 2)
        await books.until_qty(CALL, -4)
        account = await books.until_account(positions=[CALL, PUT])
        simulator.faults.clear()
        _, part, fill = await events(books)
        connections = endpoint_state(simulator, "account")["connections_total"]

    assert account["cash"] == 25000 - 2 * 160 + 4 * 25
    assert (part["event"], fill["event"], fill["symbol"]) == ("partial_fill", "fill", "")
    names = ("symbol", "side", "qty", "price", "position_qty", "status", "ratio_qty")
    assert [tuple(leg[name] for name in names) for leg in fill["legs"]] == [
        (PUT, "buy", 1, 1.6, 2, "filled", 1),
        (CALL, "sell", 2, 0.25, -4, "filled", 2),
    ]
    assert connections == 1


async def test_a_multi_leg_order_that_rest_lists_with_its_legs_is_recovered_once(
    source: RedisSource,
) -> None:
    async with brokerage(source) as (simulator, books):
        simulator.faults.half_open("account")
        await simulator.fill_legs({PUT: Decimal(1), CALL: Decimal(1)}, [Decimal(1), Decimal(1)])
        simulator.faults.reset("account")
        await books.until_qty(PUT, 1)
        await books.until_orders(("fill", "", True))
        [event] = await events(books)

    assert [leg["symbol"] for leg in event["order"]["legs"]] == [PUT, CALL]


async def test_the_events_of_a_replaced_order_and_of_its_successor_can_be_joined(
    source: RedisSource,
) -> None:
    order = {"symbol": "BAC", "qty": 10, "side": "buy", "type": "limit", "limit_price": 13}
    async with brokerage(source) as (simulator, books), httpx.AsyncClient(headers=KEYS) as http:
        await simulator.publish({"T": "t", "S": "BAC", "p": 14.0, "s": 1})
        url = f"{simulator.rest_url}/v2/orders"
        old = (await http.post(url, json=order | {"time_in_force": "day"})).json()
        new = (await http.patch(f"{url}/{old['id']}", json={"limit_price": "13.5"})).json()

        async def are_four() -> bool:
            return len(await events(books)) == 4

        await until(are_four)
        found = [(each["event"], each["order"]) for each in await events(books)]

    assert [event for event, _ in found] == ["new", "pending_replace", "replaced", "new"]
    assert (found[2][1]["id"], found[2][1]["replaced_by"]) == (old["id"], new["id"])
    assert (found[3][1]["id"], found[3][1]["replaces"]) == (new["id"], old["id"])
    assert found[2][1]["replaced_at"]


async def test_odd_fields_and_times_cost_no_order_event(source: RedisSource) -> None:
    oddities: list[dict[str, Any]] = [
        {"timestamp": "yesterday"},
        {"timestamp": "0001-01-01T00:00:00Z", "order": {"limit_price": "", "legs": "none"}},
        {"order": {"updated_at": 5, "extended_hours": "perhaps"}},
    ]
    async with brokerage(source) as (simulator, books):
        for number, oddity in enumerate(oddities):
            order = {"id": str(number), "symbol": "BAC", "qty": "7"} | oddity.get("order", {})
            update = {"stream": "trade_updates", "data": {"event": "new", **oddity, "order": order}}
            simulator.faults.send_text("account", json.dumps(update))
        await books.until_orders(*[("new", "BAC", False)] * len(oddities))
        found = await events(books)

    assert [(each["order"]["qty"], each["order"]["limit_price"]) for each in found] == [
        (7, None)
    ] * 3
    assert all(each["timestamp"] > "2026" for each in found), "the time of receipt"


async def test_the_first_order_of_an_account_is_announced_if_it_fills_between_two_leaders(
    source: RedisSource,
) -> None:
    async with brokerage(source, ingest=False) as (simulator, books):

        async def has_looked() -> bool:
            return bool(await books.client.exists(KEYSPACE.recorded_since))

        async with running_ingest(source, simulator):
            await books.until_account(state="live")
            await until(has_looked)
        await simulator.fill("BAC", Decimal(10), Decimal(13))
        async with running_ingest(source, simulator):
            await books.until_orders(("fill", "BAC", True))
