"""Workers start with the longest tests; some folders share a browser or a build."""

import pytest

from tests.order import SLOW, TOGETHER, _FolderScheduling, _part
from tests.repository.tree import ROOT


def test_every_folder_and_file_that_is_named_exists() -> None:
    assert [name for name in (*SLOW, *TOGETHER) if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/page/test_losses.py::test_it[SIGKILL]", "page"),
        ("tests/web/test_package.py::test_it", "web"),
        ("tests/system/test_installed.py::test_it[run]", "system/test_installed.py"),
        (
            "tests/system/test_healing.py::test_it[a/b]",
            "tests/system/test_healing.py::test_it[a/b]",
        ),
        ("tests/conftest.py::test_it", "tests/conftest.py::test_it"),
    ],
)
def test_a_worker_gets_one_test_or_a_folder_that_shares_a_fixture(nodeid: str, unit: str) -> None:
    scheduling = _FolderScheduling.__new__(_FolderScheduling)

    assert scheduling._split_scope(nodeid) == unit


def test_slow_folders_and_files_are_marked(request: pytest.FixtureRequest) -> None:
    quick = [
        item.nodeid
        for item in request.session.items
        if item.get_closest_marker("slow") is None and _part(item.nodeid, SLOW)
    ]

    assert quick == []
