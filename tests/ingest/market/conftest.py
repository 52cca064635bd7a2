"""The last prices that the tests of tapes start with."""

import pytest

from ingest.market.last_price import LastPrices
from tests.ingest.trades import two_days


@pytest.fixture
def prices() -> LastPrices:
    """Return the prices of a market that knows two days' hours and no print."""
    return LastPrices(two_days())
