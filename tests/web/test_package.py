"""The package `@tapecast/react`: its own tests pass, and the packed files can be used."""

import pytest

from tests.limits import LIMIT_SECONDS
from tests.web.conftest import NPM_SECONDS, Npm

pytestmark = pytest.mark.timeout(NPM_SECONDS)

TIMEOUTS = [f"--{name}={LIMIT_SECONDS * 1000:.0f}" for name in ("testTimeout", "hookTimeout")]
"""Vitest would end a test after 5 s on the busiest machine, too."""


def test_its_own_tests_pass(npm: Npm) -> None:
    assert " passed" in npm("test", "--", "--no-color", *TIMEOUTS)


def test_it_builds_and_what_is_packed_is_in_order(npm: Npm) -> None:
    npm("run", "build")

    assert "All good!" in npm("run", "pack:check")


def test_it_is_as_small_as_it_says(npm: Npm) -> None:
    assert "of 8000 bytes" in npm("run", "size")
