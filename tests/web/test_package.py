"""The package `@tapecast/react`: its own tests pass, and the packed files can be used."""

from tests.web.conftest import Npm


def test_its_own_tests_pass(npm: Npm) -> None:
    assert " passed" in npm("test", "--", "--no-color")


def test_it_builds_and_what_is_packed_is_in_order(npm: Npm) -> None:
    npm("run", "build")

    assert "All good!" in npm("run", "pack:check")


def test_it_is_as_small_as_it_says(npm: Npm) -> None:
    assert "of 7600 bytes" in npm("run", "size")
