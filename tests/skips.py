"""In CI every test has to run: with ``CI=true``, a skipped test fails the session by its name."""

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn success into failure when something was skipped."""
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """List the skipped tests."""
    if skipped := _skipped(config):
        terminalreporter.section("skipped, but CI has to run everything", red=True)
        for report in skipped:
            terminalreporter.line(report.nodeid)


def _skipped(config: pytest.Config) -> list[pytest.CollectReport | pytest.TestReport]:
    if os.environ.get("CI") != "true":
        return []
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("skipped", [])) if reporter else []
