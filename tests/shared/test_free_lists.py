import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from shared import free_lists

LENGTHS = range(1, 20)
KEPT = 2_000
"""As many tuples of each length CPython keeps."""


@pytest.fixture
def no_search() -> Iterator[None]:
    """No collection comes by itself."""
    gc.disable()
    yield
    gc.enable()


def _fill() -> None:
    """Make and drop as many tuples of each length as are kept."""
    for length in LENGTHS:
        dropped = [tuple(range(number, number + length)) for number in range(KEPT)]
        del dropped


@pytest.mark.usefixtures("no_search")
def test_the_memory_of_dropped_tuples_is_given_back() -> None:
    _fill()
    before = sys.getallocatedblocks()
    free_lists.clear()

    assert before - sys.getallocatedblocks() >= KEPT


class _Node:
    me: "_Node"


@pytest.mark.usefixtures("no_search")
def test_new_garbage_is_found_and_open_objects_are_left_alone() -> None:
    node, kept = _Node(), [object()]
    node.me = node
    gone = weakref.ref(node)
    del node
    free_lists.clear()

    assert gone() is None
    assert gc.get_freeze_count() == 0
    assert any(each is kept for each in gc.get_objects(generation=2))
