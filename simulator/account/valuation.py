"""The value of an account: the bodies of `/v2/positions` and `/v2/account`. Pure.

Each figure is computed from its definition, in Decimal and unrounded, so that tests can use it as a
reference. A figure that depends on an unknown price is null.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from simulator.account.asset import Asset, asset_of
from simulator.account.ledger import Account, Position
from simulator.account.order import Order
from simulator.protocol.decimals import text

Price: TypeAlias = Callable[[Asset], Decimal | None]
"""Returns an asset's price in dollars, None if it is unknown."""

Row: TypeAlias = dict[str, str | bool | None]

_RATIO: Final = Decimal("1e-16")
"""Ratios are given with sixteen decimals, as Alpaca's examples are."""

_LEVERAGE: Final = 2
_ZERO: Final = Decimal(0)
_NEW_SHARES: Final = str(uuid5(NAMESPACE_URL, "simulator:new shares"))


@dataclass(frozen=True)
class Statement:
    """An account and its orders at certain prices.

    `close` returns the previous close; `today` is the start of the day in Unix nanoseconds.
    `in_two_rows`: the symbols whose positions have a row of the old shares and one of the new.
    """

    account: Account
    orders: Sequence[Order]
    price: Price
    close: Price
    today: int
    in_two_rows: frozenset[str] = frozenset()

    def positions(self) -> list[Row]:
        """Return the body of `/v2/positions`."""
        rows = []
        for position in self.account.positions.values():
            if position.asset.symbol in self.in_two_rows:
                older, newer = position.halves()
                rows += [self._row(older), self._row(newer) | {"asset_id": _NEW_SHARES}]
            else:
                rows.append(self._row(position))
        return rows

    def summary(self) -> Row:
        """Return the body of `/v2/account`, for a margin account."""
        values = self._values()
        longs = None if values is None else sum((one for one in values if one > 0), _ZERO)
        shorts = None if values is None else sum((one for one in values if one < 0), _ZERO)
        equity = text(self.equity())
        return {
            "id": str(uuid5(NAMESPACE_URL, "simulator:account")),
            "account_number": "PASIMULATOR",
            "status": "ACTIVE",
            "currency": "USD",
            "cash": text(self.account.cash),
            "buying_power": text(self.buying_power()),
            "equity": equity,
            "portfolio_value": equity,
            "last_equity": text(self.last_equity()),
            "long_market_value": text(longs),
            "short_market_value": text(shorts),
            "initial_margin": None,
            "maintenance_margin": None,
            "multiplier": str(_LEVERAGE),
            "shorting_enabled": True,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
            "created_at": "2013-10-07T13:30:00Z",
        }

    def equity(self) -> Decimal | None:
        """Return the cash and the value of all positions, None if one has no price."""
        values = self._values()
        return None if values is None else self.account.cash + sum(values, _ZERO)

    def last_equity(self) -> Decimal | None:
        """Return the equity at the start of the day, at the previous close."""
        worth = self.account.start_cash
        for holding in self.account.holdings:
            asset = asset_of(holding.symbol)
            close = self.close(asset)
            if close is None:
                return None
            worth += holding.quantity * close * asset.multiplier
        return worth

    def buying_power(self, without: Order | None = None) -> Decimal | None:
        """Return twice the equity minus the amount bound by positions and open orders.

        None if a price is unknown. `without` is an order to ignore.
        """
        values, equity = self._values(), self.equity()
        if values is None or equity is None:
            return None
        orders = [order for order in self.orders if order.is_open and order is not without]
        bound = sum((self.bound(order) for order in orders), _ZERO)
        return _LEVERAGE * equity - sum(map(abs, values), _ZERO) - bound

    def bound(self, order: Order, price: Decimal | None = None) -> Decimal:
        """Return the value that an order may add to a position, at a price or the order's own.

        `price` takes precedence over the order's limit and the market. Zero if all are unknown.
        """
        price = price or order.request.limit_price or self.price(order.asset)
        if price is None:
            return _ZERO
        held = self.account.quantity(order.asset.symbol)
        against = -held if order.request.side == "buy" else held
        added = order.remaining(price) - max(against, _ZERO)
        return max(added, _ZERO) * price * order.asset.multiplier

    def _row(self, position: Position) -> Row:
        asset, quantity = position.asset, position.quantity
        price, close = self.price(asset), self.close(asset)
        cost = position.cost * asset.multiplier
        value = self._value(position)
        gain = None if value is None else value - cost
        start = self._start_value(position)
        intraday = None if value is None or start is None else value - start
        moved = None if price is None or close is None else price - close
        return {
            "asset_id": asset.id,
            "symbol": asset.symbol,
            "exchange": asset.exchange,
            "asset_class": asset.asset_class,
            "asset_marginable": asset.asset_class == "us_equity",
            "qty": text(quantity),
            "qty_available": text(self._available(position)),
            "side": "long" if quantity > 0 else "short",
            "avg_entry_price": text(position.average_price),
            "cost_basis": text(cost),
            "market_value": text(value),
            "unrealized_pl": text(gain),
            "unrealized_plpc": _ratio(gain, cost),
            "unrealized_intraday_pl": text(intraday),
            "unrealized_intraday_plpc": _ratio(intraday, start),
            "current_price": text(price),
            "lastday_price": text(close),
            "change_today": _ratio(moved, close),
        }

    def _values(self) -> list[Decimal] | None:
        values = [self._value(position) for position in self.account.positions.values()]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    def _value(self, position: Position) -> Decimal | None:
        price = self.price(position.asset)
        return None if price is None else position.quantity * price * position.asset.multiplier

    def _start_value(self, position: Position) -> Decimal | None:
        """Return the value of the lots at the previous close, or at purchase if bought since."""
        close = self.close(position.asset)
        worth = _ZERO
        for lot in position.lots:
            is_of_today = lot.time is not None and lot.time >= self.today
            price = lot.price if is_of_today else close
            if price is None:
                return None
            worth += lot.quantity * price * position.asset.multiplier
        return worth

    def _available(self, position: Position) -> Decimal:
        """Return the quantity that no open order will close, with the sign of the position."""
        held = position.quantity
        closing = "sell" if held > 0 else "buy"
        ordered = sum(
            (
                order.total - order.filled
                for order in self.orders
                if order.is_open
                and order.asset == position.asset
                and order.request.side == closing
                and order.total is not None
            ),
            _ZERO,
        )
        free = max(abs(held) - ordered, _ZERO)
        return free if held > 0 else -free


def _ratio(part: Decimal | None, whole: Decimal | None) -> str | None:
    if part is None or not whole:
        return None
    return text((part / abs(whole)).quantize(_RATIO))
