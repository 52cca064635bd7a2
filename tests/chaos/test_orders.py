"""The check of orders finds each violation when it is fed one, and nothing where there is none."""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from tests.chaos.orders import OrderLedger, Orders, Update
from tests.chaos.story import END, MINUTE, FollowedClient


class Story(FollowedClient):
    """A client of two orders: one that fills in parts, and one that is filled at once."""

    def __init__(self) -> None:
        self.now = 0
        super().__init__("orders")
        self.emptied: list[int] = []
        self.ledger = OrderLedger(lambda: self.now)
        self.updates = [
            self.updated(1, "a", "new", "new", 0),
            self.updated(2, "a", "partial_fill", "partially_filled", 40),
            self.updated(3, "a", "fill", "filled", 100),
            self.updated(4, "b", "new", "new", 0),
            self.updated(5, "b", "fill", "filled", 7),
        ]
        self.follower = self.orders = Orders(
            "it", self.ledger, self.emptied, self.complaints.append
        )

    def updated(self, minute: int, order_id: str, event: str, status: str, filled: int) -> Update:
        self.now = minute * MINUTE
        at = rfc3339.render(self.now)
        order = {"id": order_id, "status": status, "filled_qty": str(filled), "updated_at": at}
        self.ledger.add({"event": event, "order": order})
        return self.ledger.updates[-1]

    def show(self, *numbers: int, recovered: bool = False, **other: Any) -> None:
        """Show the updates of these numbers, the first of which is 1."""
        for number in numbers:
            update = self.updates[number - 1]
            order = {
                "id": update.order_id,
                "status": update.status,
                "filled_qty": float(update.filled),
                "updated_at": rfc3339.render(update.at),
            }
            data = {"event": update.event, "order": order, "recovered": recovered, **other}
            self.event("orders", data)


@pytest.fixture
def story() -> Story:
    return Story()


def test_every_update_once_is_nothing_to_complain_of(story: Story) -> None:
    story.show(1, 2, 3, 4, 5)

    assert (story.complaints, story.orders.missing(END)) == ([], [])


@pytest.mark.parametrize("lost", [1, 4])
def test_a_new_order_that_a_later_update_repeats_is_no_loss(story: Story, lost: int) -> None:
    story.show(*({1, 2, 3, 4, 5} - {lost}))

    assert (story.complaints, story.orders.missing(END)) == ([], [])


@pytest.mark.parametrize("lost", [2, 3, 5])
def test_a_lost_update_is_missing_if_its_time_has_come(story: Story, lost: int) -> None:
    story.show(*({1, 2, 3, 4, 5} - {lost}))

    assert "did not come" in story.orders.missing(END)[0]
    assert story.orders.missing(lost * MINUTE) == []
    story.orders.forgive(END)
    assert story.orders.missing(END) == []


def test_a_state_that_rest_shows_stands_for_the_updates_before_it(story: Story) -> None:
    story.show(1)
    story.show(3, recovered=True, event="fill")
    story.show(4, 5)

    assert (story.complaints, story.orders.missing(END)) == ([], [])


def test_an_update_of_another_order_stands_for_none(story: Story) -> None:
    story.show(1, 2, 4)
    story.show(5, recovered=True)

    assert "'filled', filled=Decimal('100')" in story.orders.missing(END)[0]


@pytest.mark.parametrize(
    ("bounds", "is_covered"),
    [((1, 3), True), ((1, 2), True), ((None, None), True), ((4, 9), False)],
)
def test_a_loss_between_the_bounds_of_a_gap_is_announced(
    story: Story, bounds: tuple[int | None, int | None], is_covered: bool
) -> None:
    story.show(1)
    story.gap(*bounds)
    story.show(3, 4, 5)

    assert (story.orders.missing(END) == []) is is_covered


def test_a_gap_up_to_the_next_event_covers_nothing_after_it(story: Story) -> None:
    story.show(1)
    story.gap(None, None)
    story.show(2, 4, 5)

    assert "'filled', filled=Decimal('100')" in story.orders.missing(END)[0]


def test_what_comes_twice_or_never_was_or_is_late_in_ids_or_goes_back_is_found(
    story: Story,
) -> None:
    story.show(1, 1)
    story.show(2, event="fill")
    story.show(3)
    story.show(2)
    story.show(4, event_id="6-9")

    words = ["came twice", "never was", "went back", "after 7-5"]
    assert [word in text for word, text in zip(words, story.complaints, strict=True)] == [True] * 4


@pytest.mark.parametrize("recovered", [False, True])
def test_what_rest_has_shown_does_not_come_again(story: Story, recovered: bool) -> None:
    story.show(3, recovered=True)
    story.show(3, recovered=recovered)
    story.show(2)

    assert ["came twice" in each for each in story.complaints] == [True, True]


def test_updates_may_come_again_once_redis_has_lost_its_data(story: Story) -> None:
    story.show(1, 2)
    story.emptied.append(2 * MINUTE + 1)
    story.show(1, 2, 3)
    story.show(3)

    assert ["came twice" in each for each in story.complaints] == [True]


def test_the_order_of_an_odd_frame_is_passed_over(story: Story) -> None:
    story.event("orders", {"order": {"id": "odd"}, "recovered": False})

    assert story.complaints == []
