"""One open position as the broker reports it, and its event at a price. Pure, in Decimal."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from ingest.portfolio.asset_class import OPTION_MULTIPLIER, US_OPTION
from ingest.portfolio.mark import Mark
from shared.position import Position

CENT = Decimal("0.01")
RATIO = Decimal("0.000001")


@dataclass(frozen=True)
class Holding:
    """An open position; ``qty`` and amounts of money are negative for a short position.

    ``cost_basis`` is its purchase price. ``day_basis`` is the base of the day's gain: the value at
    the previous close, or the purchase price of the part that was bought since. Both come from the
    broker, so that at the broker's price our figures equal its own. ``multiplier``: the units of
    the underlying in one option.
    """

    symbol: str
    asset_class: str
    qty: Decimal
    cost_basis: Decimal
    day_basis: Decimal | None
    avg_entry_price: Decimal | None
    lastday_price: Decimal | None
    broker_price: Decimal | None
    multiplier: Decimal
    as_of: str

    @classmethod
    def opened(
        cls, symbol: str, asset_class: str, qty: Decimal, price: Decimal, as_of: str
    ) -> "Holding":
        """Return a position that an execution has opened; the next report completes it."""
        multiplier = OPTION_MULTIPLIER if asset_class == US_OPTION else Decimal(1)
        cost = qty * price * multiplier
        return cls(symbol, asset_class, qty, cost, cost, price, None, None, multiplier, as_of)

    def after(self, delta: Decimal, price: Decimal, as_of: str) -> "Holding | None":
        """Return the position after an execution of ``delta``, negative for a sale; None if closed.

        A larger position averages the price in; a smaller one keeps its average.
        """
        qty = self.qty + delta
        if not qty:
            return None
        # A sale of more than the position: it is closed, and a short one opened at this price.
        if (qty > 0) != (self.qty > 0):
            through = Holding.opened(self.symbol, self.asset_class, qty, price, as_of)
            return replace(
                through, lastday_price=self.lastday_price, broker_price=self.broker_price
            )
        # The broker may sell the oldest lots first; until its report, the bases shrink in
        # proportion.
        if abs(qty) < abs(self.qty):
            left = qty / self.qty
            day_basis = None if self.day_basis is None else self.day_basis * left
            return replace(
                self, qty=qty, cost_basis=self.cost_basis * left, day_basis=day_basis, as_of=as_of
            )
        more = delta * price * self.multiplier
        return replace(
            self,
            qty=qty,
            cost_basis=self.cost_basis + more,
            day_basis=None if self.day_basis is None else self.day_basis + more,
            avg_entry_price=(self.cost_basis + more) / (qty * self.multiplier),
            as_of=as_of,
        )

    def value(self, price: Decimal) -> Decimal:
        """Return the market value at a price, unrounded."""
        return self.qty * price * self.multiplier

    def at(self, mark: Mark) -> Position:
        """Return the event at a price; each figure is rounded once."""
        price = mark.price
        value = None if price is None else self.value(price)
        gain = None if value is None else value - self.cost_basis
        day_gain = None if value is None or self.day_basis is None else value - self.day_basis
        moved = None
        if price is not None and self.lastday_price:
            moved = price / self.lastday_price - 1
        return Position(
            symbol=self.symbol,
            asset_class=self.asset_class,
            qty=float(self.qty),
            side=self.side,
            avg_entry_price=_number(self.avg_entry_price),
            current_price=_number(price),
            price_source=mark.source,
            lastday_price=_number(self.lastday_price),
            change_today=rounded(moved, RATIO),
            market_value=rounded(value),
            cost_basis=rounded(self.cost_basis),
            unrealized_pl=rounded(gain),
            unrealized_plpc=fraction(gain, self.cost_basis),
            unrealized_intraday_pl=rounded(day_gain),
            unrealized_intraday_plpc=fraction(day_gain, self.day_basis),
            timestamp=mark.timestamp,
            as_of=self.as_of,
            reason=mark.reason,
        )

    @property
    def side(self) -> Literal["long", "short"]:
        """Long or short."""
        return "long" if self.qty > 0 else "short"


def rounded(amount: Decimal | None, step: Decimal = CENT) -> float | None:
    """Return an amount rounded to a step, by default to cents, for an event."""
    if amount is None:
        return None
    return float(amount.quantize(step, ROUND_HALF_EVEN) + 0)  # + 0: there is no -0.00 of money


def fraction(gain: Decimal | None, basis: Decimal | None) -> float | None:
    """Return a gain as a fraction of its basis, for an event."""
    return None if gain is None or not basis else rounded(gain / abs(basis), RATIO)


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
