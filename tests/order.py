"""Which tests are slow, and the order in which workers get them.

``make test ARGS="-m 'not slow'"`` leaves the slow ones out: those that start processes or browsers,
and those that try many cases.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SLOW_FOLDERS = ("web", "page", "system", "foreign", "bench")
"""Folders of which every test is slow, those with the longest tests first."""

TOGETHER = (
    "web",
    "page",
    "system/test_installed.py",
    "documents/test_snippets.py",
    "repository/test_english.py",
)
"""Folders and files whose tests share an expensive fixture or table: one worker runs them all."""


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the slow tests; on a worker, start with them."""
    for item in items:
        if _folder(item.nodeid) in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
    # In one process, tests run in the order of their files. With several workers, a long test that
    # starts last keeps one busy while the others have finished.
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


@pytest.hookimpl(optionalhook=True)  # there is no such hook without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "_FolderScheduling | None":
    """Give each worker one test after another, and some folders and files as a whole."""
    return _FolderScheduling(config, log) if config.getoption("dist") == "load" else None


class _FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """A unit of work is one test, or a whole of ``TOGETHER``; the largest units come first.

    xdist 3.8 has such groups, ``--dist loadgroup``, but marks them in ids that pytest 9 forbids to
    change.
    """

    def _split_scope(self, nodeid: str) -> str:
        whole = [name for name in TOGETHER if nodeid.startswith(f"tests/{name}")]
        return whole[0] if whole else nodeid


def _folder(nodeid: str) -> str:
    """Return the folder of a test within ``tests``."""
    first, *rest = nodeid.partition("::")[0].split("/")
    return rest[0] if first == "tests" and len(rest) > 1 else ""


def _turn(item: pytest.Item) -> int:
    folder = _folder(item.nodeid)
    if folder in SLOW_FOLDERS:
        return SLOW_FOLDERS.index(folder)
    return len(SLOW_FOLDERS) + (item.get_closest_marker("slow") is None)
