"""One open position as the broker reports it, and its event at a price. Pure, in Decimal."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from ingest.portfolio.amount import CENT, RATIO, fraction, is_plausible, number, rounded
from ingest.portfolio.asset_class import OPTION_MULTIPLIER, US_OPTION
from ingest.portfolio.day_lots import Lot, sum_of, without_oldest
from ingest.portfolio.mark import Mark, are_apart
from shared import rfc3339
from shared.position import Position

_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Holding:
    """An open position; ``qty`` and amounts of money are negative for a short position.

    ``cost_basis`` is its purchase price. ``day_basis`` is the base of the day's gain: the value at
    the previous close, or the purchase price of the part that was bought since. Both come from the
    broker, so that at the broker's price our figures equal its own; None if it is unknown.
    ``multiplier``: the units of the underlying in one option. ``lots`` are the parts of
    ``day_basis`` that were seen, oldest first; none if only their sum is known.
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
    lots: tuple[Lot, ...] = field(default=(), compare=False)
    blended: bool = False
    """Whether it is the sum of several assets with this symbol, at different prices."""

    @classmethod
    def opened(
        cls, symbol: str, asset_class: str, qty: Decimal, price: Decimal, as_of: str
    ) -> "Holding":
        """Return a position that an execution has opened; the next report completes it."""
        multiplier = OPTION_MULTIPLIER if asset_class == US_OPTION else Decimal(1)
        cost = qty * price * multiplier
        lots = (Lot(qty, cost, is_uniform=True),)
        return cls(symbol, asset_class, qty, cost, cost, price, None, None, multiplier, as_of, lots)

    def after(self, delta: Decimal, price: Decimal, as_of: str) -> "Holding | None":
        """Return the position after an execution of ``delta``, negative for a sale; None if closed.

        A larger position averages the price in; a smaller one keeps its average. For the gain of
        the day the oldest shares are sold first, as at the broker.
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
        # Of several assets with one symbol, it is an execution of an unknown one of them: the
        # average price of the rest is unknown until the broker's report.
        broker_price = None if self.blended else self.broker_price
        lots = self._lots()
        if abs(qty) < abs(self.qty):
            left = without_oldest(lots, -delta)
            return replace(
                self,
                qty=qty,
                cost_basis=self.cost_basis * qty / self.qty,
                # Which of today's purchases were sold is unknown until the broker's report.
                day_basis=sum_of(left).basis if left else None,
                lots=left or (),
                broker_price=broker_price,
                as_of=as_of,
            )
        more = delta * price * self.multiplier
        return replace(
            self,
            qty=qty,
            cost_basis=self.cost_basis + more,
            day_basis=None if self.day_basis is None else self.day_basis + more,
            lots=(*lots, Lot(delta, more, is_uniform=True)) if lots else (),
            avg_entry_price=(self.cost_basis + more) / (qty * self.multiplier),
            broker_price=broker_price,
            as_of=as_of,
        )

    def continuing(self, earlier: "Holding | None") -> "Holding":
        """Return this holding, of a report, with the lots of an earlier one if they add up to it.

        They do not if an execution was not seen, or on another day: its basis is another close.
        """
        if earlier is None or self.day_basis is None or not earlier.lots:
            return self
        together = sum_of(earlier.lots)
        if together.qty != self.qty or abs(together.basis - self.day_basis) > CENT:
            return self
        return replace(self, lots=earlier.lots)

    def _lots(self) -> tuple[Lot, ...]:
        """Return the known lots, or one lot of all shares; none if its basis is unknown."""
        if self.day_basis is None or self.lots:
            return self.lots
        # Of several assets with one symbol, a sale is one of an unknown one of them.
        close = None if self.blended else self.lastday_price
        before_today = self.value(close) if close else None
        is_uniform = before_today is not None and abs(before_today - self.day_basis) <= CENT
        return (Lot(self.qty, self.day_basis, is_uniform),)

    @property
    def is_plausible(self) -> bool:
        """Whether all its numbers are finite and of a size that a market can have."""
        return is_plausible(
            self.qty,
            self.cost_basis,
            self.day_basis,
            self.avg_entry_price,
            self.lastday_price,
            self.broker_price,
            self.multiplier,
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
        moved, close = None, self._close(mark)
        if price is not None and close:
            moved = price / close - 1
        return Position(
            symbol=self.symbol,
            asset_class=self.asset_class,
            qty=float(self.qty),
            side=self.side,
            avg_entry_price=number(self.avg_entry_price),
            current_price=number(price),
            price_source=mark.source,
            lastday_price=number(close),
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

    def _close(self, mark: Mark) -> Decimal | None:
        """Return the previous close: the broker's, or the tape's until the first report.

        The tape's is that of its last price's own day, which is earlier if it has no price of the
        day of the execution yet.
        """
        ours, theirs, price = mark.close, self.lastday_price, mark.price
        if ours is None or mark.timestamp is None or _day(mark.timestamp) != _day(self.as_of):
            return theirs
        # Only one of them has applied a split: the price is nearer to the close in its own shares.
        if theirs and price and are_apart(ours, theirs):
            return min(ours, theirs, key=lambda close: max(price / close, close / price))
        return ours if theirs is None else theirs

    @property
    def side(self) -> Literal["long", "short"]:
        """Long or short."""
        return "long" if self.qty > 0 else "short"


def _day(moment: str) -> date:
    """Return the day of a time in New York."""
    return datetime.fromtimestamp(rfc3339.to_nanoseconds(moment) // 10**9, _NEW_YORK).date()
