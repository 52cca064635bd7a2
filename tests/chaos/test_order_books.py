"""The check of books finds each violation when it is fed one, and nothing where there is none."""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from tests.chaos.order_books import LEVELS, BookLedger, OrderBooks, View
from tests.chaos.story import FollowedClient

PAIR = "FIL/USD"


class Story(FollowedClient):
    """A client of a book that has had three messages: a whole book and two changes."""

    def __init__(self) -> None:
        super().__init__(f"book:{PAIR}")
        self.ledger = BookLedger(PAIR)
        self.views = [
            self.sent(1, [(58.0, 2.0), (57.5, 1.0)], [(58.5, 4.0)], r=True),
            self.sent(2, [(58.0, 0.0)], [(58.25, 1.5)]),
            self.sent(2, [], [(58.5, 0.0), (99.0, 0.0)]),
        ]
        self.follower = self.books = OrderBooks("it", self.ledger, self.complaints.append)
        self.books.opened()

    def sent(
        self, at: int, bids: list[tuple[float, float]], asks: list[tuple[float, float]], **r: bool
    ) -> View:
        sides = [[{"p": price, "s": size} for price, size in side] for side in (bids, asks)]
        self.ledger.add({"T": "o", "S": PAIR, "t": at, "b": sides[0], "a": sides[1], **r})
        return self.ledger.newest

    def show(self, view: View, **other: Any) -> None:
        data = {
            "symbol": PAIR,
            "valid": True,
            "reason": None,
            "timestamp": rfc3339.render(view.at),
            "bids": [list(level) for level in view.bids],
            "asks": [list(level) for level in view.asks],
        }
        self.event("book", {**data, **other})

    def show_none(self, **other: Any) -> None:
        self.show(View(0, (), ()), **{"valid": False, "reason": "Alpaca is lost.", **other})


@pytest.fixture
def story() -> Story:
    return Story()


def test_the_ledger_follows_whole_books_changes_and_removals(story: Story) -> None:
    assert story.views == [
        View(1, ((58.0, 2.0), (57.5, 1.0)), ((58.5, 4.0),)),
        View(2, ((57.5, 1.0),), ((58.25, 1.5), (58.5, 4.0))),
        View(2, ((57.5, 1.0),), ((58.25, 1.5),)),
    ]
    story.ledger.add({"T": "o", "S": "ANKR/USD", "t": 9, "b": [], "a": [], "r": True})
    assert story.ledger.newest == story.views[2]
    assert story.sent(3, [], [], r=True) == View(3, (), ())


def test_a_view_has_the_best_levels_alone(story: Story) -> None:
    view = story.sent(3, [(1.0 + n, 1.0) for n in range(20)], [(60.0 + n, 1.0) for n in range(20)])

    assert [price for price, _ in view.bids] == [57.5, *range(20, 11, -1)]
    assert (len(view.asks), view.asks[0]) == (LEVELS, (58.25, 1.5))


def test_views_that_the_book_had_in_their_order_are_right(story: Story) -> None:
    story.show_none()
    for view in story.views:
        story.show(view)
    story.show(story.views[2])

    assert (story.complaints, story.books.differences()) == ([], [])
    assert (story.books.views, story.books.at) == (4, 2)


def test_a_view_that_never_was_or_is_of_another_time_is_found(story: Story) -> None:
    story.show(story.views[0]._replace(bids=((58.0, 3.0),)))
    story.show(story.views[0]._replace(at=2))

    assert ["never was" in each for each in story.complaints] == [True, True]


def test_a_book_that_goes_back_is_found(story: Story) -> None:
    story.show(story.views[2])
    story.show(story.views[1])
    story.show(story.views[2], event_id="6-9")

    words = ["went back", "6-9 after 7-2"]
    assert [word in text for word, text in zip(words, story.complaints, strict=True)] == [True] * 2


def test_a_book_that_is_not_valid_is_none_with_a_reason(story: Story) -> None:
    story.show(story.views[2])
    story.show_none()
    assert story.complaints == []
    assert (story.books.shown, story.books.at, len(story.books.differences())) == (None, 0, 1)

    story.show_none(reason=None)
    story.show_none(bids=[[58.0, 1.0]])
    assert len(story.complaints) == 2


def test_a_book_that_was_not_asked_for_is_found(story: Story) -> None:
    story.show(story.views[0], symbol="ANKR/USD")

    assert "did not ask for" in story.complaints[0]


def test_an_older_view_is_a_difference_unless_its_levels_are_those_of_the_newest(
    story: Story,
) -> None:
    story.show(story.views[1])
    assert len(story.books.differences()) == 1

    story.show(story.views[2])
    story.sent(7, [(1.0, 0.0)], [])
    assert story.books.differences() == []
