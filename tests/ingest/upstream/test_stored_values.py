"""The trades between two leaders, on a feed that is late by its nature."""

from collections.abc import Sequence
from typing import Any

import pytest

from ingest.demand.wanted import Demand
from ingest.upstream.stored_values import PRICE_HANDOVER_SECONDS, StoredValues
from shared import rfc3339
from shared.price import Price

NOW, DELAY = 1_796_000_000.0, 900.0


class Stored:
    """Stands for Redis: the last price of each symbol is from ``at``, unix s."""

    def __init__(self, at: float) -> None:
        self.at = at

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        return [Price(each, 5.0, timestamp=rfc3339.from_unix(self.at)) for each in symbols]

    async def quotes(self, _: Sequence[str]) -> list[Any]:
        return []

    async def trading_statuses(self, _: Sequence[str]) -> list[Any]:
        return []


class Handler:
    def restore(self, _: Price) -> bool:
        return True

    def restore_quote(self, _: Any) -> None:
        """Do nothing."""

    def restore_status(self, _: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("arrived_ago", "is_missed"), [(10.0, True), (PRICE_HANDOVER_SECONDS + 1, False)]
)
async def test_a_delayed_trade_is_as_old_as_its_arrival(
    arrived_ago: float, is_missed: bool
) -> None:
    gaps: dict[str, float] = {}
    values = StoredValues(
        Stored(NOW - arrived_ago - DELAY),
        Demand(lambda: 0.0),
        Handler(),
        gaps.__setitem__,
        delay_seconds=DELAY,
        clock=lambda: int(NOW * 1e9),
    )
    await values.restore(["SPY"])

    assert gaps == ({"SPY": pytest.approx(NOW - arrived_ago)} if is_missed else {})
