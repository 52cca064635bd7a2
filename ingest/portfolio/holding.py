"""One open position as the broker reports it, and its event at a price. Pure, in Decimal."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from ingest.portfolio.broker_rows import (
    OPTION_MULTIPLIER,
    US_OPTION,
    PositionRow,
    tape_symbol,
)
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
    def of_row(cls, row: PositionRow, as_of: str) -> "Holding":
        """Return the position in a broker's row; ``as_of``: the time of the request, RFC 3339."""
        qty = -abs(row.qty) if row.side == "short" else row.qty
        multiplier = _multiplier(row)
        cost = row.cost_basis
        if cost is None:
            cost = abs(qty * (row.avg_entry_price or Decimal(0)) * multiplier)
        value = None if row.market_value is None else _signed(row.market_value, qty)
        day_basis = None
        if value is not None and row.unrealized_intraday_pl is not None:
            day_basis = value - row.unrealized_intraday_pl
        elif row.lastday_price is not None:
            day_basis = qty * row.lastday_price * multiplier
        return cls(
            symbol=tape_symbol(row.symbol, row.asset_class),
            asset_class=row.asset_class,
            qty=qty,
            cost_basis=_signed(cost, qty),
            day_basis=day_basis,
            avg_entry_price=row.avg_entry_price,
            lastday_price=row.lastday_price,
            broker_price=row.current_price,
            multiplier=multiplier,
            as_of=as_of,
        )

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


def _signed(amount: Decimal, qty: Decimal) -> Decimal:
    """Return an amount with its position's sign: the broker writes shorts with and without one."""
    return abs(amount) if qty > 0 else -abs(amount)


def _multiplier(row: PositionRow) -> Decimal:
    if row.asset_class != US_OPTION:
        return Decimal(1)
    # A contract that was adjusted for a split or a merger has other units than 100.
    if row.market_value and row.current_price:
        units = abs(row.market_value / (row.qty * row.current_price))
        if (whole := units.to_integral_value()) and abs(units - whole) < RATIO:
            return whole
    return OPTION_MULTIPLIER
