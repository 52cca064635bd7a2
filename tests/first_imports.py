"""In a fresh checkout, pytest's workers compile each test module once, not once each.

pytest rewrites the asserts of a module at its first import and keeps the result. Workers that
import all modules in the same order do so at the same time, each for itself.
"""

import importlib
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)  # before the collection imports the modules, in the same order
def pytest_collection(session: pytest.Session) -> None:
    """On a worker, import a share of the modules before all of them."""
    if (worker := getattr(session.config, "workerinput", None)) is not None:
        number = int(worker["workerid"].removeprefix("gw"))
        for path in modules(session.config)[number :: worker["workercount"]]:
            # The collection imports a module that fails again, and reports its error.
            with suppress(Exception):
                importlib.import_module(".".join(path.with_suffix("").parts))


def modules(config: pytest.Config) -> list[Path]:
    """Return the test modules in the folders of the command line, relative to the project."""
    folders = [config.rootpath / argument for argument in config.args]
    return [
        path.relative_to(config.rootpath)
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.rglob("test_*.py"))
        if not _is_left_out(path, config)
    ]


def _is_left_out(path: Path, config: pytest.Config) -> bool:
    """Return whether the collection would leave out a file, or a folder that contains it."""
    return any(
        config.hook.pytest_ignore_collect(collection_path=each, config=config)
        for each in (path, *path.parents)
        if each.is_relative_to(config.rootpath)
    )
