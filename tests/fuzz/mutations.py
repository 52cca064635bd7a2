"""Mutations of bytes, and of decoded messages. Pure: all chance comes from the argument."""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Node: TypeAlias = dict[Any, Any] | list[Any]

LONGEST = 1 << 16
"""Longer inputs would only test the patience of the run; tests have some of a megabyte."""


MOST_NODES = 500
"""More containers are not changed further: each change can multiply them by fifty."""


def mutated_bytes(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed with one to eight changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_BYTE_CHANGES)(rng, data, rng.choice(seeds))
    return bytes(data[:LONGEST])


def mutated_object(rng: random.Random, seeds: Sequence[Any], odd: Sequence[Any]) -> Any:
    """Return a seed with one to four of its values, keys or parts changed."""
    data = _copy(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        nodes = list(_nodes(data))
        if not nodes:
            return rng.choice(odd)
        if len(nodes) > MOST_NODES:
            break
        _change(rng, rng.choice(nodes), rng.choice(seeds), odd)
    return data


def _change(rng: random.Random, node: Node, other: Any, odd: Sequence[Any]) -> None:
    places = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not places:
        return
    at = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del node[at]
        case 1:
            node[at] = [node[at]]
        case 2:
            node[at] = _nested(rng, node[at])
        case 3 if isinstance(node, dict):
            node[rng.choice(("r", "x" * 300, "", "T"))] = _copy(rng.choice(odd))
        case 3 if isinstance(node, list):
            node.extend(_copy(node[:10]) * rng.choice((1, 50)))
        case 4:
            found = list(_nodes(other))
            node[at] = _copy(rng.choice(found)) if found else other
        case _:
            node[at] = _copy(rng.choice(odd))


def _nested(rng: random.Random, value: Any) -> Any:
    for _ in range(rng.choice((2, 30, 300))):
        value = [value] if rng.random() < 0.9 else {"k": value}
    return value


def _nodes(value: Any) -> list[Node]:
    """Return all containers within a value that have any items."""
    found, due = list[Node](), [value]
    while due:
        each = due.pop()
        if isinstance(each, dict | list):
            if each:
                found.append(each)
            due.extend(each.values() if isinstance(each, dict) else each)
    return found


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


_Change: TypeAlias = Callable[[random.Random, bytearray, bytes], None]


def _flip(rng: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(rng: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        size = rng.choice((1, 1, 2, 4, 8))
        at = rng.randrange(len(data))
        data[at : at + size] = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", b"9")) * size


def _replace_one(rng: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _cut(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 8, 100))]


def _repeat(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.choice((1, 8, 64))] * rng.choice((1, 2, 400))


def _splice(rng: random.Random, data: bytearray, other: bytes) -> None:
    at, start = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    data[at:] = other[start:]


def _insert(rng: random.Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 16)))


_BYTE_CHANGES: Sequence[_Change] = (
    *(_flip, _flip, _replace_one, _replace_one, _replace),
    *(_cut, _repeat, _splice, _insert),
)
