"""Fixtures of the ingest's tests."""

import pytest

from ingest.upstream import broker_reports


@pytest.fixture
def reports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of the account may follow the other at once."""
    monkeypatch.setattr(broker_reports, "REPORT_SPACING_SECONDS", 0.05)
    monkeypatch.setattr(broker_reports, "CLAIMS_SECONDS", 0.05)
