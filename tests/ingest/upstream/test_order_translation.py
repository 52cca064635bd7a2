"""Orders and trade updates as Alpaca's documentation shows them, in our own terms."""

import json
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.alpaca import trade_updates
from ingest.alpaca.trade_updates import TradeUpdate, decode
from ingest.upstream.order_translation import (
    executions,
    order_update,
    orders,
    remove_unreadable_times,
)
from shared import rfc3339
from shared.order import LegExecution
from tests.ingest import alpaca

PUT, CALL = "AAPL250321P00200000", "AAPL250321C00380000"
RECEIVED_NS = rfc3339.to_nanoseconds("2026-11-25T15:00:09Z")

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(str(alpaca.__file__)).with_name("trade_update_examples.json").read_text(encoding="utf-8")
)["messages"]


def update_of(message: dict[str, Any]) -> TradeUpdate:
    update, *_ = decode(json.dumps(message))
    assert isinstance(update, TradeUpdate)
    remove_unreadable_times(update)
    return update


def test_a_fill_is_an_execution_with_its_symbol_as_market_data_spells_it() -> None:
    [executed] = executions(update_of(EXAMPLES["fill"]), RECEIVED_NS) or []

    assert (executed.symbol, executed.asset_class) == ("SOL/USD", "crypto")
    assert (executed.delta, executed.price) == (Decimal("-1790.86"), Decimal("105.8988475"))
    assert executed.qty == 0
    assert executed.at == "2022-04-19T17:45:05.024916716Z"


def test_each_leg_of_a_multi_leg_fill_is_an_execution_at_its_own_price() -> None:
    found = executions(update_of(EXAMPLES["several legs"]), RECEIVED_NS) or []

    assert [(each.symbol, each.delta, each.price, each.qty) for each in found] == [
        (PUT, Decimal(1), Decimal("1.6"), Decimal(1)),
        (CALL, Decimal(1), Decimal("0.02"), Decimal(1)),
    ]
    assert {each.asset_class for each in found} == {"us_option"}
    assert found[0].at == "2025-01-21T07:32:40.695564076Z"


def test_a_partial_multi_leg_fill_counts_what_each_leg_executed_by_the_side_of_the_leg() -> None:
    data = deepcopy(EXAMPLES["several legs"]["data"])
    data |= {"event": "partial_fill", "qty": "2", "position_qtys": {PUT: "-6", CALL: "2"}}
    data["order"]["legs"][0] |= {"side": "sell", "ratio_qty": "3", "asset_class": ""}
    data["legs"][0] |= {"qty": "6", "order_id": None}
    data["legs"][1]["qty"] = "2"
    update = update_of({"stream": "trade_updates", "data": data})

    assert [
        (each.symbol, each.asset_class, each.delta, each.qty)
        for each in executions(update, RECEIVED_NS) or ()
    ] == [
        (PUT, "us_option", Decimal(-6), Decimal(-6)),
        (CALL, "us_option", Decimal(2), Decimal(2)),
    ]


def test_a_multi_leg_fill_is_an_event_with_what_each_leg_executed() -> None:
    event = order_update(update_of(EXAMPLES["several legs"]), RECEIVED_NS)

    assert (event.symbol, event.order.symbol, event.price, event.qty) == ("", None, 1.62, 1)
    assert event.legs[0] == LegExecution(
        order_id="3cbe69ef-241c-43ba-9d8c-09361930a1af",
        symbol=PUT,
        side="buy",
        price=1.6,
        qty=1,
        position_qty=1,
        execution_id="69a70e98-f370-427d-bcd3-834dc4800aed",
        status="filled",
        ratio_qty=1,
        filled_qty=1,
        filled_avg_price=1.6,
        timestamp="2025-01-21T07:32:40.695564076Z",
    )
    assert [leg.symbol for leg in event.legs] == [PUT, CALL]
    assert [(leg.symbol, leg.order_class, leg.status) for leg in event.order.legs] == [
        (PUT, "mleg", "filled"),
        (CALL, "mleg", "filled"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"position_qtys": None},
        {"position_qtys": {PUT: "1"}},
        {"position_qtys": {PUT: "1", CALL: None}},
        {"order": {"id": "o1", "symbol": "", "legs": None}},
        {"order": {"id": "o1", "symbol": "", "legs": [{"id": "L1", "symbol": PUT, "side": "buy"}]}},
        {"legs": None},
        {"legs": [{"symbol": PUT, "qty": "1", "price": "1.6"}]},
        {"legs": [{"symbol": PUT, "qty": "1", "price": "1.6"}, {"symbol": CALL, "qty": "1"}]},
        {"legs": [{"symbol": PUT, "qty": "1", "price": "1.6"}, 5]},
    ],
)
def test_a_multi_leg_fill_that_lacks_a_part_is_an_event_and_no_execution_of_any_leg(
    changes: dict[str, Any],
) -> None:
    message = EXAMPLES["several legs"]
    update = update_of(message | {"data": message["data"] | changes})

    assert executions(update, RECEIVED_NS) is None
    assert order_update(update, RECEIVED_NS).event == "fill"


@pytest.mark.parametrize(
    "changes",
    [
        {"position_qty": None},
        {"qty": None},
        {"qty": "-1"},
        {"price": "-5"},
        {"price": "1e14"},
        {"price": ""},
    ],
)
def test_a_fill_that_lacks_a_part_or_has_an_impossible_one_is_no_execution(
    changes: dict[str, Any],
) -> None:
    message = EXAMPLES["fill"]
    message = message | {"data": message["data"] | changes}
    assert executions(update_of(message), RECEIVED_NS) is None


def test_an_update_that_is_no_fill_changes_no_position() -> None:
    message = EXAMPLES["fill"]
    message = message | {"data": message["data"] | {"event": "new"}}
    assert executions(update_of(message), RECEIVED_NS) == []


def test_fills_with_an_empty_execution_id_are_not_one() -> None:
    message = EXAMPLES["fill"]
    message = message | {"data": message["data"] | {"execution_id": ""}}
    [executed] = executions(update_of(message), RECEIVED_NS) or []
    assert executed.id is None


def test_an_update_becomes_an_event_spelt_as_market_data_with_its_time_in_utc() -> None:
    row = trade_updates.Order(
        id="a",
        symbol="BTCUSD",
        asset_class="crypto",
        filled_qty=10,
        updated_at="2026-11-25T10:00:01.5-05:00",
    )
    event = order_update(
        TradeUpdate(
            event="fill",
            order=row,
            timestamp="2026-11-25T10:00:01-05:00",
            price=Decimal("97.5"),
            qty=Decimal(10),
            position_qty=Decimal(-3),
            execution_id="x",
        ),
        RECEIVED_NS,
    )

    assert (event.event, event.symbol) == ("fill", "BTC/USD")
    assert event.timestamp == "2026-11-25T15:00:01Z"
    assert (event.price, event.qty, event.position_qty) == (97.5, 10, -3)
    assert (event.order.filled_qty, event.order.updated_at) == (10, "2026-11-25T15:00:01.5Z")
    assert not event.recovered


def test_an_order_has_the_fields_that_join_trail_and_time_it() -> None:
    order = {
        "id": "new",
        "symbol": "SPY",
        "replaces": "old",
        "replaced_by": "",
        "replaced_at": None,
        "hwm": "431.5",
        "trail_price": "1.5",
        "trail_percent": None,
        "position_intent": "buy_to_open",
        "extended_hours": False,
        "filled_at": "2026-11-25T10:00:00.000000001-05:00",
        "canceled_at": "0001-01-01T00:00:00Z",
        "legs": [{"id": "stop", "symbol": "SPY", "status": "held", "stop_price": "400"}],
    }
    message = {"stream": "trade_updates", "data": {"event": "new", "order": order}}
    shown = order_update(update_of(message), RECEIVED_NS).order

    assert (shown.replaces, shown.replaced_by, shown.replaced_at) == ("old", None, None)
    assert (shown.hwm, shown.trail_price, shown.trail_percent) == (431.5, 1.5, None)
    assert (shown.position_intent, shown.extended_hours) == ("buy_to_open", False)
    assert (shown.filled_at, shown.canceled_at) == ("2026-11-25T15:00:00.000000001Z", None)
    assert [(leg.id, leg.status, leg.stop_price) for leg in shown.legs] == [("stop", "held", 400)]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": "2026-11-25T10:00:00.123456789-05:00"}, "2026-11-25T15:00:00.123456789Z"),
        ({"timestamp": "2026-11-25t15:00:00z"}, "2026-11-25T15:00:00Z"),
        ({"at": "2026-11-25T15:00:01Z"}, "2026-11-25T15:00:01Z"),
        ({"timestamp": "yesterday", "at": "2026-11-25T15:00:01Z"}, "2026-11-25T15:00:01Z"),
        ({"timestamp": 1764082800, "updated_at": "2026-11-25T15:00:02Z"}, "2026-11-25T15:00:02Z"),
        ({"timestamp": "9999-12-31T23:59:59-23:59"}, "2026-11-25T15:00:09Z"),
        ({"timestamp": "2026-02-30T15:00:00Z", "updated_at": ""}, "2026-11-25T15:00:09Z"),
        ({"timestamp": None, "updated_at": "2026-11-25"}, "2026-11-25T15:00:09Z"),
        ({}, "2026-11-25T15:00:09Z"),
    ],
)
def test_an_update_has_the_first_readable_of_its_times_or_that_of_its_receipt(
    times: dict[str, Any], expected: str
) -> None:
    order = {"id": "o1", "symbol": "SPY", "side": "buy"}
    if "updated_at" in times:
        order["updated_at"] = times["updated_at"]
    data = {"event": "fill", "price": "9", "qty": "1", "position_qty": "1", "order": order}
    message = {"stream": "trade_updates", "data": data | times}

    update = update_of(message)
    [executed] = executions(update, RECEIVED_NS) or []
    assert order_update(update, RECEIVED_NS).timestamp == executed.at == expected


def test_of_rest_rows_a_bad_field_costs_the_field_and_a_row_with_no_id_or_time_is_skipped() -> None:
    good = {"id": "a", "status": "new", "updated_at": "2026-11-25T15:00:00Z"}
    rows = [good, {"id": "b"}, "rubbish", good | {"filled_qty": "many"}, good | {"updated_at": "?"}]
    problems: list[str] = []

    assert [(each.id, each.filled_qty) for each in orders(rows, problems.append)] == [
        ("a", None),
        ("a", None),
    ]
    assert len(problems) == 4, problems


def test_legs_of_a_bracket_are_orders_of_their_own_and_those_of_a_multi_leg_order_are_not() -> None:
    at = {"updated_at": "2026-11-25T15:00:00Z"}
    leg = {"id": "x", "symbol": PUT, "order_class": "mleg", **at}
    spread = {"id": "m", "symbol": "", "order_class": "mleg", "legs": [leg], **at}
    stop = {"id": "s", "symbol": "SPY", "order_class": "bracket", "status": "held", **at}
    bracket = {"id": "b", "symbol": "SPY", "order_class": "bracket", "legs": [stop], **at}
    found = orders([spread, leg, bracket], lambda problem: pytest.fail(problem))

    assert [(each.id, [leg.id for leg in each.legs]) for each in found] == [
        ("m", ["x"]),
        ("b", ["s"]),
        ("s", []),
    ]
