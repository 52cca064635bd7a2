"""Orders: every update once, and from REST what the stream has not brought."""

import pytest

from ingest.portfolio.order_log import ON_ITS_WAY_NS, OrderLog
from shared import rfc3339
from shared.order import Order, OrderUpdate

BEGUN = rfc3339.to_nanoseconds("2026-11-25T15:00:00Z")
SECOND = 1_000_000_000


def moment(seconds: float) -> str:
    return rfc3339.from_nanoseconds(BEGUN + round(seconds * SECOND))


def order(name: str, status: str, at: float, filled: str = "0") -> Order:
    return Order(
        id=name,
        symbol="BTCUSD",
        asset_class="crypto",
        side="buy",
        status=status,
        qty=10,
        filled_qty=float(filled),
        submitted_at=moment(-60),
        updated_at=moment(at),
    )


def update(event: str, row: Order) -> OrderUpdate:
    return OrderUpdate(
        event=event, symbol=row.symbol or "", timestamp=row.updated_at or "", order=row
    )


def told(events: list[OrderUpdate]) -> list[tuple[str, str, bool]]:
    return [(each.order.id, each.event, each.recovered) for each in events]


def from_rest(
    log: OrderLog, *rows: Order, now: float = 60, streaming_since: float = 60
) -> list[tuple[str, str, bool]]:
    times = BEGUN + round(now * SECOND), BEGUN + round(streaming_since * SECOND)
    return told(log.on_orders(rows, *times))


@pytest.fixture
def log() -> OrderLog:
    return OrderLog(BEGUN)


def test_rest_brings_what_happened_while_nothing_was_heard_oldest_first(log: OrderLog) -> None:
    log.on_update(update("new", order("a", "new", 1)))
    log.on_update(update("new", order("b", "new", 2)))
    news = from_rest(
        log,
        order("c", "rejected", 9),
        order("b", "partially_filled", 8, "4"),
        order("a", "filled", 7, "10"),
    )
    assert news == [("a", "fill", True), ("b", "partial_fill", True), ("c", "rejected", True)]
    assert from_rest(log, order("a", "filled", 7, "10")) == []


def test_what_was_before_the_beginning_is_no_news(log: OrderLog) -> None:
    assert from_rest(log, order("a", "filled", -1, "10")) == []


def test_what_was_after_the_last_that_an_earlier_leader_told_is_news(log: OrderLog) -> None:
    earlier = OrderLog(BEGUN - 3600 * SECOND)
    announced = [
        earlier.on_update(update(event, row))
        for event, row in (
            ("new", order("a", "new", -20)),
            ("fill", order("b", "filled", -15, "10")),
            ("canceled", order("a", "canceled", -10)),
        )
    ]
    log.restore(event for event in announced if event is not None)

    news = from_rest(
        log,
        order("a", "canceled", -10),
        order("b", "filled", -15, "10"),
        order("c", "filled", -5, "10"),
        order("d", "filled", -30, "10"),
    )
    assert news == [("c", "fill", True)]


def test_what_the_stream_is_about_to_bring_is_left_to_it(log: OrderLog) -> None:
    row = order("a", "filled", 10, "10")
    just_now = {"now": 11.0, "streaming_since": 5.0}
    assert from_rest(log, row, **just_now) == []
    later = 10.5 + ON_ITS_WAY_NS / SECOND
    assert from_rest(log, row, now=later, streaming_since=5.0) == [("a", "fill", True)]


def test_what_rest_has_told_the_stream_does_not_tell_again(log: OrderLog) -> None:
    assert from_rest(log, order("a", "filled", 7, "10")) == [("a", "fill", True)]

    assert log.on_update(update("new", order("a", "new", 1))) is None
    assert log.on_update(update("fill", order("a", "filled", 7, "10"))) is None
    assert log.on_update(update("busted", order("a", "canceled", 8))) is not None


def test_an_event_that_nobody_knows_is_passed_on(log: OrderLog) -> None:
    event = log.on_update(update("held_for_review", order("a", "held", 1)))
    assert event is not None
    assert (event.event, event.order.status) == ("held_for_review", "held")


def test_an_order_that_was_never_changed_is_told_by_when_it_came(log: OrderLog) -> None:
    row = order("a", "accepted", 5)
    row.submitted_at, row.updated_at = moment(5), None
    [event] = log.on_orders([row], BEGUN + 60 * SECOND, BEGUN + 60 * SECOND)
    assert (event.timestamp, event.recovered) == (moment(5), True)
