"""Orders: every update once, and from REST what the stream has not brought."""

import pytest

from ingest.portfolio.order_log import ON_ITS_WAY_NS, OrderLog
from shared import rfc3339
from shared.order import Leg, Order, OrderUpdate

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


def test_what_no_leader_has_announced_while_everything_was_kept_is_news(log: OrderLog) -> None:
    announced = update("new", order("a", "new", -10))
    log.restore([announced], BEGUN - 30 * SECOND)

    news = from_rest(
        log,
        order("a", "new", -10),
        order("b", "filled", -20, "10"),
        order("c", "filled", -40, "10"),
    )
    assert news == [("b", "fill", True)]


@pytest.mark.parametrize(("whole_since", "is_news"), [(-30, True), (-10, False), (None, False)])
def test_the_first_order_of_all_may_change_between_two_leaders(
    log: OrderLog, whole_since: int | None, is_news: bool
) -> None:
    log.restore([], None if whole_since is None else BEGUN + whole_since * SECOND)

    assert from_rest(log, order("a", "filled", -20, "10")) == [("a", "fill", True)] * is_news


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


def with_legs(name: str, status: str, at: float, **legs: str) -> Order:
    row = order(name, status, at)
    row.legs = [Leg(id=leg, status=state, updated_at=moment(at)) for leg, state in legs.items()]
    return row


def test_a_leg_whose_state_came_with_its_order_is_no_news_and_its_next_change_is(
    log: OrderLog,
) -> None:
    log.on_update(update("new", with_legs("a", "new", 1, stop="held")))
    assert from_rest(log, order("stop", "held", 1)) == []
    assert from_rest(log, order("stop", "canceled", 5)) == [("stop", "canceled", True)]


def test_an_order_that_repeats_an_older_state_of_its_leg_does_not_undo_the_leg(
    log: OrderLog,
) -> None:
    log.on_update(update("fill", order("stop", "filled", 5, "10")))
    parent = with_legs("a", "filled", 6, stop="new")
    parent.legs[0].updated_at = moment(1)
    log.on_update(update("fill", parent))
    assert from_rest(log, order("stop", "filled", 5, "10")) == []


def test_a_change_of_a_leg_has_its_own_event_even_if_that_of_its_order_shows_it(
    log: OrderLog,
) -> None:
    log.on_update(update("new", with_legs("a", "new", 1, stop="held")))
    log.on_update(update("fill", with_legs("a", "filled", 4, stop="canceled")))
    assert from_rest(log, order("stop", "canceled", 4)) == [("stop", "canceled", True)]

    both = [with_legs("b", "filled", 5, limit="canceled"), order("limit", "canceled", 5)]
    assert from_rest(log, *both) == [("b", "fill", True), ("limit", "canceled", True)]


def test_a_recovered_multi_leg_order_has_its_legs(log: OrderLog) -> None:
    row = with_legs("m", "filled", 5, put="filled", call="filled")
    row.symbol = None
    times = BEGUN + 60 * SECOND, BEGUN + 60 * SECOND
    [event] = log.on_orders([row], *times)

    assert (event.event, event.symbol, event.recovered) == ("fill", "", True)
    assert [leg.id for leg in event.order.legs] == ["put", "call"]
    assert event.legs == [], "REST does not state what each leg executed"
    assert log.on_orders([row], *times) == []


def test_an_update_whose_order_has_no_time_is_announced_at_the_events_own(log: OrderLog) -> None:
    row = order("a", "new", 1)
    row.updated_at = row.submitted_at = None
    event = OrderUpdate(event="new", symbol="SPY", timestamp=moment(1), order=row)
    assert log.on_update(event) is event
    assert from_rest(log, order("a", "new", 1)) == []


def test_an_unreadable_filled_quantity_is_no_news(log: OrderLog) -> None:
    log.on_update(update("fill", order("a", "filled", 1, "10")))
    row = order("a", "filled", 1)
    row.filled_qty = None
    assert from_rest(log, row) == []


def test_a_replaced_order_and_its_successor_can_be_joined(log: OrderLog) -> None:
    old, new = order("old", "replaced", 3), order("new", "new", 3)
    old.replaced_by, new.replaces = "new", "old"
    times = BEGUN + 60 * SECOND, BEGUN + 60 * SECOND
    [replaced, successor] = log.on_orders([old, new], *times)

    assert (replaced.event, replaced.order.replaced_by) == ("replaced", "new")
    assert (successor.event, successor.order.replaces) == ("new", "old")


def fill(event: str, row: Order, qty: float | None) -> OrderUpdate:
    made = update(event, row)
    made.qty = qty
    return made


def lost(log: OrderLog) -> list[tuple[float, float]]:
    """Return the losses in seconds from the beginning."""
    return [((a - BEGUN) / SECOND, (b - BEGUN) / SECOND) for a, b in log.take_lost()]


def test_an_update_reveals_the_executions_between_it_and_the_one_before(log: OrderLog) -> None:
    log.restore([update("new", order("a", "new", 1))])
    log.on_update(fill("fill", order("a", "filled", 5, "10"), 6))

    assert lost(log) == [(1, 5)]
    assert lost(log) == []


def test_an_end_of_an_order_reveals_them_too(log: OrderLog) -> None:
    log.restore([update("new", order("a", "new", 1))])
    log.on_update(update("canceled", order("a", "canceled", 5, "4")))

    assert lost(log) == [(1, 5)]


def test_executions_that_came_one_after_the_other_are_no_loss(log: OrderLog) -> None:
    log.restore([update("new", order("a", "new", 1))])
    log.on_update(fill("partial_fill", order("a", "partially_filled", 2, "0.1"), 0.1))
    log.on_update(fill("partial_fill", order("a", "partially_filled", 3, "0.3"), 0.2))
    log.on_update(fill("fill", order("a", "filled", 4, "10"), 9.7))
    log.on_update(update("canceled", order("b", "canceled", 5)))

    assert lost(log) == []


def test_executions_that_rest_has_shown_are_no_loss(log: OrderLog) -> None:
    log.restore([update("new", order("a", "new", 1))])
    from_rest(log, order("a", "partially_filled", 2, "4"))
    log.on_update(fill("fill", order("a", "filled", 70, "10"), 6))

    assert lost(log) == []


def test_an_update_that_comes_before_the_earlier_ones_are_read_is_compared_then(
    log: OrderLog,
) -> None:
    log.on_update(fill("partial_fill", order("a", "partially_filled", 5, "6"), 2))
    log.on_update(fill("fill", order("a", "filled", 6, "10"), 4))
    assert lost(log) == []
    log.restore([update("new", order("a", "new", 1))])

    assert lost(log) == [(1, 5)]


def test_an_unknown_order_is_compared_if_it_is_no_older_than_the_log(log: OrderLog) -> None:
    log.restore([], BEGUN)
    young, old = (order(name, "filled", 5, "10") for name in "ab")
    young.submitted_at = moment(2)
    heir = order("c", "filled", 5, "10")
    heir.submitted_at, heir.replaces = moment(2), "b"
    for row in (young, old, heir):
        log.on_update(fill("fill", row, 4))

    assert lost(log) == [(2, 5)]


def test_an_execution_with_an_unreadable_quantity_says_nothing_about_earlier_ones(
    log: OrderLog,
) -> None:
    log.restore([update("new", order("a", "new", 1))])
    log.on_update(fill("fill", order("a", "filled", 5, "10"), None))

    assert lost(log) == []
