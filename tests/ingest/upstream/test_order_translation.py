"""Orders and trade updates as Alpaca's documentation shows them, in our own terms."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.alpaca import trade_updates
from ingest.alpaca.trade_updates import TradeUpdate, decode
from ingest.upstream.order_translation import execution, order_update, orders
from tests.ingest import alpaca

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(str(alpaca.__file__)).with_name("trade_update_examples.json").read_text(encoding="utf-8")
)["messages"]


def update_of(message: dict[str, Any]) -> TradeUpdate:
    [update] = decode(json.dumps(message))
    assert isinstance(update, TradeUpdate)
    return update


def test_a_fill_is_an_execution_with_its_symbol_as_market_data_spells_it() -> None:
    executed = execution(update_of(EXAMPLES["fill"]))

    assert executed is not None
    assert (executed.symbol, executed.asset_class) == ("SOL/USD", "crypto")
    assert (executed.delta, executed.price) == (Decimal("-1790.86"), Decimal("105.8988475"))
    assert executed.qty == 0
    assert executed.at == "2022-04-19T17:45:05.024916716Z"


def test_an_order_of_several_legs_states_no_position() -> None:
    update = update_of(EXAMPLES["several legs"])
    assert (update.event, update.order.symbol) == ("fill", "")
    assert execution(update) is None


@pytest.mark.parametrize(
    "changes",
    [{"position_qty": None}, {"price": "NaN"}, {"qty": None}, {"event": "new"}],
)
def test_an_update_that_lacks_a_part_of_an_execution_is_none(changes: dict[str, Any]) -> None:
    message = EXAMPLES["fill"]
    message = message | {"data": message["data"] | changes}
    assert execution(update_of(message)) is None


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
        )
    )

    assert (event.event, event.symbol) == ("fill", "BTC/USD")
    assert event.timestamp == "2026-11-25T15:00:01Z"
    assert (event.price, event.qty, event.position_qty) == (97.5, 10, -3)
    assert (event.order.filled_qty, event.order.updated_at) == (10, "2026-11-25T15:00:01.5Z")
    assert not event.recovered


def test_rows_of_another_form_are_passed_over() -> None:
    good = {"id": "a", "status": "new", "updated_at": "2026-11-25T15:00:00Z"}
    rows = [good, {"id": "b"}, "rubbish", good | {"filled_qty": "many"}, good | {"updated_at": "?"}]
    assert [each.id for each in orders(rows)] == ["a"]
