"""A list that has one bad struct keeps the good ones, and names all that it lacks."""

from typing import Any

import msgpack
import msgspec
import pytest

from ingest.alpaca.tolerant import ITEMS_AT_MOST, read_fields, strictly


class Item(msgspec.Struct):
    number: int


class Whole(msgspec.Struct):
    items: list[Item] = []


def from_bytes(items: list[Any]) -> tuple[Whole, list[str]]:
    raw = msgspec.Raw(msgpack.packb(items))
    return read_fields(Whole, {"items": raw}, lambda v, form: msgspec.msgpack.decode(v, type=form))


def from_objects(items: list[Any]) -> tuple[Whole, list[str]]:
    return read_fields(Whole, {"items": items}, strictly)


@pytest.mark.parametrize("read", [from_bytes, from_objects])
def test_a_bad_item_costs_itself(read: Any) -> None:
    whole, problems = read([{"number": 1}, {"number": "x"}, 7, {"number": 2}])

    assert whole.items == [Item(1), Item(2)]
    assert [problem[:10] for problem in problems] == ["items: [1]", "items: [2]"]


@pytest.mark.parametrize("read", [from_bytes, from_objects])
def test_items_beyond_the_bound_are_named_as_left_out(read: Any) -> None:
    whole, problems = read([*({"number": n} for n in range(ITEMS_AT_MOST + 50)), "bad"])

    assert len(whole.items) == ITEMS_AT_MOST
    assert problems == ["items: [100:]: 51 items are left out"]
