"""A portfolio with nothing but cash."""

import pytest

from tests.ingest.portfolio.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """100,000 dollars in cash, as at the last close."""
    desk = Desk()
    assert desk.report(cash="100000", last_equity="100000")
    return desk
