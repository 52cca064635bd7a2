"""The check of a tape finds each violation when it is fed one, and nothing where there is none."""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from tests.chaos.ledger import Ledger, Print, Values
from tests.chaos.story import END, MINUTE, FollowedClient
from tests.chaos.trades import Trades


class Story(FollowedClient):
    """A client of a tape of five prints, a minute apart; the third and the fourth share an id."""

    def __init__(self) -> None:
        super().__init__("trade:SPY")
        self.ledger = Ledger()
        self.prints = [
            self.printed(1, "V", 1, 50.0),
            self.printed(2, "V", 2, 51.0),
            self.printed(3, "D", 7, 52.0),
            self.printed(4, "D", 7, 53.0),
            self.printed(5, "V", 3, 54.0),
        ]
        self.follower = self.trades = Trades("it", ("SPY",), self.ledger, self.complaints.append)

    def printed(self, minute: int, exchange: str, trade_id: int, price: float) -> Print:
        at = minute * MINUTE
        made = Print("SPY", exchange, at, at, Values(trade_id, price, 100), (" ",), "A")
        self.ledger.trade(made)
        return made

    def trade(self, print_: Print, values: Values | None = None, **other: Any) -> None:
        shown = values or print_.values
        data = {
            "symbol": "SPY",
            "id": str(shown.trade_id),
            "price": shown.price,
            "size": shown.size,
            "exchange": print_.exchange,
            "conditions": [" "],
            "tape": "A",
            "eligible": True,
            "timestamp": rfc3339.render(print_.at),
        }
        self.event("trade", {**data, **other})

    def cancel(self, print_: Print) -> None:
        self.event("cancel", {**self._retraction(print_), "action": "C"})

    def correction(self, print_: Print) -> None:
        assert print_.corrected is not None
        new = print_.corrected
        values = {"id": str(new.trade_id), "price": new.price, "size": new.size}
        self.event("correction", {**self._retraction(print_), **values})

    def _retraction(self, print_: Print) -> dict[str, Any]:
        return {
            "symbol": "SPY",
            "original_id": str(print_.values.trade_id),
            "original_price": print_.values.price,
            "original_size": print_.values.size,
            "exchange": print_.exchange,
            "timestamp": rfc3339.render(END),
        }


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_whole_tape_has_nothing_to_complain_of(story: Story) -> None:
    for print_ in story.prints:
        story.trade(print_)

    assert (story.complaints, story.trades.missing(END)) == ([], [])


def test_the_tape_of_a_client_starts_with_its_first_print(story: Story) -> None:
    assert story.trades.missing(END) == []

    for print_ in story.prints[2:]:
        story.trade(print_)
    assert story.trades.missing(END) == []


def test_a_print_that_is_missing_is_found_even_if_another_has_its_id(story: Story) -> None:
    for index in (0, 1, 2, 4):
        story.trade(story.prints[index])

    [missing] = story.trades.missing(END)
    assert "price=53.0" in missing
    assert story.trades.missing(4 * MINUTE) == []
    story.trade(story.prints[3])
    assert story.trades.missing(END) == []


@pytest.mark.parametrize(
    ("bounds", "is_covered"),
    [((1, 3), True), ((2, 2), True), ((3, 4), False), ((None, None), True), ((None, 5), True)],
)
def test_a_gap_covers_the_prints_between_its_bounds(
    story: Story, bounds: tuple[int | None, int | None], is_covered: bool
) -> None:
    story.trade(story.prints[0])
    story.gap(*bounds)
    for print_ in story.prints[2:]:
        story.trade(print_)

    assert (story.trades.missing(END) == []) is is_covered


def test_a_gap_up_to_the_next_event_covers_nothing_after_it(story: Story) -> None:
    story.trade(story.prints[0])
    story.gap(None, None)
    story.trade(story.prints[1])
    story.trade(story.prints[4])

    assert len(story.trades.missing(END)) == 1


def test_a_print_that_comes_twice_or_was_never_printed_or_is_late_in_ids_is_found(
    story: Story,
) -> None:
    story.trade(story.prints[0])
    story.trade(story.prints[0])
    story.trade(story.prints[1], price=99.0)
    story.trade(story.prints[2], event_id="6-9")
    story.trade(story.prints[4], eligible=False)

    words = ["came twice", "never printed", "after 7-3", "eligible differs"]
    assert [word in text for word, text in zip(words, story.complaints, strict=True)] == [True] * 4


def test_a_cancel_must_come_once_for_a_print_that_is_here(story: Story) -> None:
    for print_ in story.prints:
        story.trade(print_)
    story.ledger.cancel(story.prints[2], 6 * MINUTE)
    assert len(story.trades.missing(END)) == 1

    story.cancel(story.prints[2])
    assert (story.complaints, story.trades.missing(END)) == ([], [])
    story.cancel(story.prints[2])
    assert "a cancel came twice" in story.complaints[0]


def test_a_cancel_may_come_before_its_print_and_comes_again_after_it(story: Story) -> None:
    print_ = story.prints[2]
    story.ledger.cancel(print_, 6 * MINUTE)
    story.trade(story.prints[0])
    story.cancel(print_)
    for each in story.prints[1:]:
        story.trade(each)
    assert len(story.trades.missing(END)) == 1

    story.cancel(print_)
    assert (story.complaints, story.trades.missing(END)) == ([], [])


def test_a_print_that_was_lost_and_cancelled_need_not_come(story: Story) -> None:
    for index in (0, 1, 3, 4):
        story.trade(story.prints[index])
    story.ledger.cancel(story.prints[2], 6 * MINUTE)

    assert story.trades.missing(END) == []


@pytest.mark.parametrize("lost", [False, True])
def test_a_correction_comes_once_as_such_or_in_place_of_a_lost_print(
    story: Story, lost: bool
) -> None:
    print_ = story.prints[1]
    for each in story.prints:
        if each is not print_ or not lost:
            story.trade(each)
    story.ledger.correct(print_, Values(9, 51.01, 100), 6 * MINUTE)
    assert len(story.trades.missing(END)) == 1

    if lost:
        story.trade(print_, print_.corrected)
    else:
        story.correction(print_)
    assert (story.complaints, story.trades.missing(END)) == ([], [])
    story.trade(print_, print_.corrected)
    assert len(story.complaints) == 1


def test_values_that_were_corrected_must_not_stand_beside_the_right_ones(story: Story) -> None:
    print_ = story.prints[1]
    for each in story.prints:
        story.trade(each)
    story.ledger.correct(print_, Values(9, 51.01, 100), 6 * MINUTE)
    story.trade(print_, print_.corrected)
    assert len(story.trades.missing(END)) == 1

    story.cancel(print_)
    assert (story.complaints, story.trades.missing(END)) == ([], [])


def test_what_was_never_retracted_or_never_watched_is_found(story: Story) -> None:
    story.cancel(story.prints[0])
    story.ledger.correct(story.prints[1], Values(9, 51.01, 100), 6 * MINUTE)
    story.correction(story.prints[1])
    story.correction(story.prints[1])
    story.event("gap", {"topics": ["trade:IBM"], "from": None, "to": None})

    words = ["never published", "came twice", "did not ask for"]
    assert [word in text for word, text in zip(words, story.complaints, strict=True)] == [True] * 3


@pytest.mark.parametrize(("of", "is_excused"), [("SPY", True), (None, True), ("IBM", False)])
def test_what_a_silence_has_swallowed_that_nobody_can_notice_is_excused(
    of: str | None, is_excused: bool
) -> None:
    story = Story()
    for print_ in story.prints[:2] + story.prints[3:]:
        story.trade(print_)
    at = story.prints[2].at
    story.ledger.swallowed.append((at - 1, at + 1, of))

    assert (story.trades.missing(END) == []) is is_excused


PAIR, CALL = "FIL/USD", "SPY301220C00500000"


class OtherStory(FollowedClient):
    """A client of the tape of a pair or a contract, whose prints have no tape."""

    def __init__(self, symbol: str, trade_id: int | None, **marks: Any) -> None:
        super().__init__(f"trade:{symbol}")
        self.ledger = Ledger()
        self.marks = marks
        self.prints = [
            Print(
                symbol,
                None,
                at=minute * MINUTE,
                published=minute * MINUTE,
                values=Values(trade_id, 50.0, 0.5),
                conditions=(),
                tape=None,
                taker=marks.get("taker_side"),
            )
            for minute in (1, 2, 3)
        ]
        for print_ in self.prints:
            self.ledger.trade(print_)
        self.follower = self.trades = Trades("it", (symbol,), self.ledger, self.complaints.append)

    def trade(self, number: int, **other: Any) -> None:
        """Show a print by its number, the first of which is 0."""
        print_ = self.prints[number]
        trade_id = print_.values.trade_id
        data: dict[str, Any] = {
            "symbol": print_.symbol,
            "id": None if trade_id is None else str(trade_id),
            "price": 50.0,
            "size": 0.5,
            "exchange": None,
            "conditions": [],
            "tape": None,
            "eligible": True,
            "timestamp": rfc3339.render(print_.at),
        }
        self.event("trade", {**data, **self.marks, **other})


@pytest.fixture(params=["pair", "contract"])
def other(request: pytest.FixtureRequest) -> OtherStory:
    if request.param == "pair":
        return OtherStory(PAIR, 3_400_000_000_000_000_007, taker_side="buy")
    return OtherStory(CALL, None, delayed=True)


def test_the_prints_of_a_pair_and_of_a_contract_are_whole_or_missing(other: OtherStory) -> None:
    other.trade(0)
    other.trade(2)
    assert len(other.trades.missing(END)) == 1

    other.trade(1)
    assert (other.complaints, other.trades.missing(END)) == ([], [])
    other.trade(1)
    assert "came twice" in other.complaints[0]


@pytest.mark.parametrize("wrong", [{"taker_side": "sell"}, {"delayed": None}])
def test_the_taker_of_a_pair_and_the_delay_of_a_contract_are_those_of_the_feed(
    other: OtherStory, wrong: dict[str, Any]
) -> None:
    other.trade(0, **wrong)

    assert "taker_side or delayed differs" in other.complaints[0]


def test_a_silence_of_the_stocks_excuses_no_other_market(other: OtherStory) -> None:
    other.trade(0)
    other.trade(2)
    at = other.prints[1].at
    other.ledger.swallowed.append((at - 1, at + 1, None))

    assert len(other.trades.missing(END)) == 1


def test_losses_that_are_forgiven_are_missing_no_more(story: Story) -> None:
    for index in (0, 3, 4):
        story.trade(story.prints[index])
    story.trades.forgive(2 * MINUTE + 1)
    assert "price=52.0" in story.trades.missing(END)[0]

    story.trades.forgive(END)
    assert story.trades.missing(END) == []
