"""Which tests are slow, and the order in which workers get them.

``make test ARGS="-m 'not slow'"`` leaves the slow ones out: those that start processes or browsers,
that break connections and wait for the consequences, and that try many cases.
"""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SLOW = (
    "web",
    "page",
    "system",
    "foreign",
    "bench",
    "documents",
    "oracle",
    "ingest/portfolio/test_account_whole.py",
    "gateway/test_ordered_topics.py",
    "gateway/test_overload.py",
    "gateway/test_redis_loss.py",
    "ingest/test_account.py",
    "ingest/test_fees.py",
    "ingest/test_orders.py",
    "ingest/test_process.py",
    "ingest/test_withheld_symbols.py",
    "ingest/upstream/faults/test_silences.py",
    "ingest/upstream/faults/test_broken_connections.py",
    "ingest/upstream/faults/test_refused_connections.py",
    "ingest/upstream/test_missed_prints.py",
    "ingest/upstream/test_stream_holder.py",
    "repository/test_english.py",
    "repository/test_time.py",
    "simulator/test_service.py",
)
"""Folders and files of which every test is slow, those with the longest tests first."""

TOGETHER = (
    "web",
    "page",
    "system/test_installed.py",
    "documents/test_snippets.py",
    "oracle",
    "repository/test_english.py",
)
"""Folders and files whose tests share an expensive fixture or table: one worker runs them all."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the slow tests if they are deselected."""
    slow = [Path(__file__).parent / part for part in SLOW]
    return True if config.option.markexpr == "not slow" and collection_path in slow else None


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the slow tests; on a worker, start with them."""
    for item in items:
        if _part(item.nodeid, SLOW):
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
        return _part(nodeid, TOGETHER) or nodeid


def _part(nodeid: str, parts: tuple[str, ...]) -> str | None:
    """Return the one of some folders and files within ``tests`` that a test belongs to, if any."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    found = [part for part in parts if path == part or path.startswith(f"{part}/")]
    return found[0] if found else None


def _turn(item: pytest.Item) -> int:
    if (part := _part(item.nodeid, SLOW)) is not None:
        return SLOW.index(part)
    return len(SLOW) + (item.get_closest_marker("slow") is None)
