"""Which tests are slow, and the order in which workers get them.

``make test ARGS="-m 'not slow'"`` leaves the slow ones out: those that start processes or browsers,
and those that try many cases.
"""

from pathlib import Path

import pytest

SLOW_FOLDERS = ("web", "page", "system", "foreign", "bench")
"""Folders of which every test is slow, those with the longest tests first."""

TOGETHER = ("web", "page")
"""Folders whose tests share an expensive fixture, so that one worker runs them all."""

_TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker, and xdist reads its groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the slow tests; on a worker, start with them."""
    for item in items:
        folder = _folder(item)
        if folder in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
        if folder in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))
    # In one process, tests run in the order of their files. With several workers, a long test that
    # starts last keeps one busy while the others have finished.
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _folder(item: pytest.Item) -> str:
    if not item.path.is_relative_to(_TESTS):
        return ""
    return item.path.relative_to(_TESTS).parts[0]


def _turn(item: pytest.Item) -> int:
    folder = _folder(item)
    if folder in SLOW_FOLDERS:
        return SLOW_FOLDERS.index(folder)
    return len(SLOW_FOLDERS) + (item.get_closest_marker("slow") is None)
