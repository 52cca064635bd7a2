"""A pair's book as the messages change it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.crypto.book import Best, Book
from simulator.crypto.book_tape import BITFINEX, GEMINI, read_book_tape

PRICES = st.sampled_from([9.5, 9.75, 10.0, 10.25, 10.5])
SIZES = st.sampled_from([0, 0.25, 1, 3.5])
LEVELS = st.lists(st.fixed_dictionaries({"p": PRICES, "s": SIZES}), max_size=4)
MESSAGES = st.fixed_dictionaries({"b": LEVELS, "a": LEVELS}, optional={"r": st.booleans()})
WHOLE: dict[str, Any] = {
    "b": [{"p": 9.5, "s": 1}, {"p": 9.75, "s": 2.5}],
    "a": [{"p": 10.5, "s": 4}, {"p": 10, "s": 3}],
    "r": True,
}


def book(*messages: dict[str, Any]) -> Book:
    made = Book()
    for at, message in enumerate((WHOLE, *messages), start=1):
        assert made.apply(message, at)
    return made


def levels(side: object) -> list[tuple[float, float]]:
    assert isinstance(side, list)
    return [(level["p"], level["s"]) for level in side]


def test_a_whole_book_is_shown_best_levels_first() -> None:
    shown = book().message("BTC/USD")

    assert (shown["T"], shown["S"], shown["t"], shown["r"]) == ("o", "BTC/USD", 1, True)
    assert levels(shown["b"]) == [(9.75, 2.5), (9.5, 1)]
    assert levels(shown["a"]) == [(10, 3), (10.5, 4)]


def test_a_size_replaces_the_one_before_and_0_removes_the_level() -> None:
    change = {"b": [{"p": 9.75, "s": 0}, {"p": 9.5, "s": 7}, {"p": 9, "s": 1}], "a": []}
    changed = book(change)

    assert levels(changed.message("BTC/USD")["b"]) == [(9.5, 7), (9, 1)]
    assert changed.best == Best(9.5, 7, 10, 3)
    assert (changed.depth("b"), changed.depth("a")) == (2, 2)


def test_removing_a_level_that_the_book_does_not_hold_changes_nothing() -> None:
    assert book({"b": [{"p": 1, "s": 0}], "a": []}).best == book().best


def test_a_whole_book_replaces_the_one_before() -> None:
    assert book({"b": [], "a": [{"p": 11, "s": 1}], "r": True}).best == Best(0, 0, 11, 1)


def test_rest_shows_the_levels_that_the_newest_message_removed_with_size_0() -> None:
    removed = book({"b": [{"p": 9.75, "s": 0}, {"p": 1, "s": 0}], "a": []})
    later = book({"b": [{"p": 9.75, "s": 0}], "a": []}, {"b": [{"p": 9.75, "s": 1}], "a": []})

    assert levels(removed.latest()["b"]) == [(9.75, 0), (9.5, 1)]
    assert levels(later.latest()["b"]) == [(9.75, 1), (9.5, 1)]
    assert "r" not in later.latest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"b": None},
        {"a": {"p": 1, "s": 1}},
        {"b": [7]},
        {"b": [{"p": 1}]},
        {"b": [{"p": "9.5", "s": 1}]},
        {"b": [{"p": 9.5, "s": None}]},
        {"b": [{"p": 0, "s": 1}]},
        {"b": [{"p": -1, "s": 1}]},
        {"b": [{"p": 9.5, "s": -1}]},
        {"b": [{"p": float("nan"), "s": 1}]},
        {"b": [{"p": 9.5, "s": float("inf")}]},
        {"b": [{"p": True, "s": 1}]},
    ],
)
def test_a_message_with_an_invalid_part_changes_nothing(wrong: dict[str, Any]) -> None:
    one = book()

    assert not one.apply({"b": [{"p": 1, "s": 1}], "a": [], "r": True} | wrong, 9)
    assert one.message("A/USD") == book().message("A/USD")


@given(st.lists(MESSAGES, max_size=8))
def test_a_book_holds_the_newest_size_of_each_price(messages: list[dict[str, Any]]) -> None:
    one = Book()
    expected: dict[str, dict[float, float]] = {"b": {}, "a": {}}
    for at, message in enumerate(messages):
        assert one.apply(message, at)
        for side, sizes in expected.items():
            if message.get("r"):
                sizes.clear()
            sizes.update({level["p"]: level["s"] for level in message[side]})

    shown = one.message("BTC/USD")
    for side, sizes in expected.items():
        held = [(price, size) for price, size in sizes.items() if size]
        assert levels(shown[side]) == sorted(held, reverse=side == "b")
        assert [each for each in levels(one.latest()[side]) if each[1]] == levels(shown[side])


@pytest.mark.parametrize(("path", "needless"), [(GEMINI, 34), (BITFINEX, 0)])
def test_the_recorded_books_never_cross_and_remove_levels_that_they_lack(
    path: Any, needless: int
) -> None:
    books: dict[object, Book] = {}
    found = 0
    for row in read_book_tape(path).rows:
        if row.fields["T"] != "o":
            continue
        one = books.setdefault(row.fields["S"], Book())
        for side in ("b", "a"):
            held = {price for price, _ in levels(one.message("")[side])}
            changes = levels(row.fields[side])
            found += sum(1 for price, size in changes if not size and price not in held)
        assert one.apply(row.fields, 0)
        assert 0 < one.best.bid < one.best.ask

    assert found == needless
