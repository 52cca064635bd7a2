"""The broker's own positions and account, as one report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.amount import CENT, NOTHING, is_plausible
from ingest.portfolio.holding import Holding

UNKNOWN_SYMBOL = "?"
"""Stands for the symbol of a position whose row has none that can be read."""

TOTALS_TOLERANCE = Decimal("0.01")
"""Totals and rows are two requests, between which prices move. They hardly move an account by this
part of its positions in that time: a larger difference is probably a row too few or too many."""


@dataclass(frozen=True)
class ReportedAccount:
    """The account's amounts of money, as the broker reports them; None if it reports none."""

    cash: Decimal
    currency: str = "USD"
    equity: Decimal | None = None
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    long_market_value: Decimal | None = None
    short_market_value: Decimal | None = None

    @property
    def is_plausible(self) -> bool:
        """Whether all its numbers are finite and of a size that an account can have."""
        return is_plausible(
            self.cash,
            self.equity,
            self.last_equity,
            self.buying_power,
            self.long_market_value,
            self.short_market_value,
        )


class BrokerReport(NamedTuple):
    """The broker's own positions and account, requested ``asked_at`` (monotonic) or later.

    ``as_of`` is the same time in RFC 3339. ``unreadable``: the symbols of positions whose rows
    could not be read. ``settled``: a second reading of positions or account was equal, so that
    both belong to one state of the account.
    """

    holdings: Sequence[Holding]
    account: ReportedAccount
    asked_at: float
    as_of: str
    unreadable: Sequence[str] = ()
    settled: bool = True

    @property
    def quantities(self) -> dict[str, Decimal]:
        """The quantity of each position."""
        return {each.symbol: each.qty for each in self.holdings}

    def without_implausible(self) -> "BrokerReport":
        """Return the report with each position that has an impossible number as unreadable."""
        implausible = [each.symbol for each in self.holdings if not each.is_plausible]
        if not implausible:
            return self
        return self._replace(
            holdings=[each for each in self.holdings if each.is_plausible],
            unreadable=[*self.unreadable, *implausible],
        )

    @property
    def excess(self) -> Decimal | None:
        """The amount by which the broker's totals exceed its rows at its own prices.

        It is zero but for prices that moved between the requests; None if some are unknown.
        """
        parts = self._excess_by_side()
        return None if parts is None else parts[0] + parts[1]

    @property
    def totals_differ(self) -> bool:
        """Whether totals and rows differ by more than prices explain."""
        parts = self._excess_by_side()
        if parts is None:
            return False
        rows = sum((abs(value) for value in self._values()), NOTHING)
        longs, shorts = self.account.long_market_value, self.account.short_market_value
        totals = abs(longs or NOTHING) + abs(shorts or NOTHING)
        rounding = CENT * (len(self.holdings) + 2)
        return max(abs(part) for part in parts) > max(
            rounding, TOTALS_TOLERANCE * max(rows, totals)
        )

    def _excess_by_side(self) -> tuple[Decimal, Decimal] | None:
        """Return the excess of the longs and that of the shorts, in signed amounts."""
        account = self.account
        longs, shorts = account.long_market_value, account.short_market_value
        priced = all(each.broker_price is not None for each in self.holdings)
        if longs is None or shorts is None or not priced or self.unreadable:
            return None
        values = self._values()
        own_longs = sum((value for value in values if value > 0), NOTHING)
        own_shorts = sum((value for value in values if value < 0), NOTHING)
        # The broker writes shorts with either sign.
        return longs - own_longs, -abs(shorts) - own_shorts

    def _values(self) -> list[Decimal]:
        return [
            each.value(each.broker_price) for each in self.holdings if each.broker_price is not None
        ]
