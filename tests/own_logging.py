"""A plugin of pytest: a test fails if it configures the logging of the process that runs the tests.

Loggers would still write to that test's output, and later tests would find nothing in theirs.
"""

from collections.abc import Iterator

import pytest
import structlog


class ConfiguredLoggingError(AssertionError):
    """A test has configured logging: the program that it calls needs a separate process."""


def _configuration() -> dict[str, object]:
    # A copy of the list: ``capture_logs`` empties the one that it finds, and fills it again.
    return {**structlog.get_config(), "processors": [*structlog.get_config()["processors"]]}


@pytest.fixture(autouse=True)
def _logging_is_left_alone() -> Iterator[None]:
    before = _configuration()
    yield
    if _configuration() != before:
        structlog.reset_defaults()
        raise ConfiguredLoggingError("run the program by tests.programs.program instead")
