"""The ledger: cash, and the positions with their cost. Pure; all money is Decimal.

Cost is the average: a purchase changes it, a sale keeps it. Each purchase is also kept as a lot,
for the profit and loss of the day; sales reduce the oldest lots first.
Only crypto has a fee. Sources: alpaca.markets/docs/crypto/activities (it is taken from the credited
asset), alpacahq/alpaca-py #374 and bennycode/trading-signals #1353 (measured on both kinds of
account), #1350 (dollars are rounded up to the cent).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Final

from simulator.account.asset import Asset, asset_of

CASH: Final = Decimal(25000)

CRYPTO_FEE: Final = Decimal("0.0025")
"""Alpaca's fee for an order that takes an offer, as a fraction: of the coins of a purchase, and of
the dollars of a sale."""

_SMALLEST_COIN: Final = Decimal("1e-9")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Holding:
    """Shares, coins or contracts (negative when sold short) and their average price in dollars."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal = Decimal(100)


HOLDINGS: Final = (
    Holding("BAC", Decimal(137), Decimal("13.7425")),
    Holding("IBM", Decimal(-20), Decimal("182.35")),
)


@dataclass(frozen=True)
class Lot:
    """One purchase: quantity (negative when sold short), price in dollars, Unix ns.

    `time` is None for one before today.
    """

    quantity: Decimal
    price: Decimal
    time: int | None


@dataclass
class Position:
    """The holding of one asset; its quantity is not zero.

    `cost` is quantity times average price, negative when sold short; `lots` are oldest first.
    """

    asset: Asset
    cost: Decimal = Decimal(0)
    lots: list[Lot] = field(default_factory=list)

    @property
    def quantity(self) -> Decimal:
        """The quantity, negative when sold short."""
        return sum((lot.quantity for lot in self.lots), Decimal(0))

    @property
    def average_price(self) -> Decimal:
        """The average price of the lots, in dollars."""
        return self.cost / self.quantity

    def add(self, lot: Lot) -> None:
        """Buy a lot (or sell it, if negative); a larger sale than the position turns it short."""
        held = self.quantity
        if held * lot.quantity >= 0:
            self.cost += lot.quantity * lot.price
            self.lots.append(lot)
            return
        if abs(lot.quantity) <= abs(held):
            self.cost = self.cost * (held + lot.quantity) / held
            self._take_oldest(-lot.quantity)
            return
        rest = held + lot.quantity
        self.cost = rest * lot.price
        self.lots = [Lot(rest, lot.price, lot.time)]

    def _take_oldest(self, quantity: Decimal) -> None:
        """Remove the oldest lots; `quantity` has their sign."""
        while quantity:
            oldest = self.lots.pop(0)
            if abs(oldest.quantity) > abs(quantity):
                rest = Lot(oldest.quantity - quantity, oldest.price, oldest.time)
                self.lots.insert(0, rest)
                return
            quantity -= oldest.quantity

    def halves(self) -> tuple["Position", "Position"]:
        """Return its oldest lots up to half of the quantity, and the rest, at the same average."""
        newer = Position(self.asset, self.cost, list(self.lots))
        half = (self.quantity / 2).quantize(Decimal(1), ROUND_DOWN) or self.quantity / 2
        older_cost = self.average_price * half
        newer.cost -= older_cost
        newer._take_oldest(half)
        return Position(self.asset, older_cost, _first(self.lots, half)), newer


def _first(lots: Sequence[Lot], quantity: Decimal) -> list[Lot]:
    """Return the first lots up to a quantity, the last of them in part."""
    found: list[Lot] = []
    for lot in lots:
        if not quantity:
            break
        part = min(lot.quantity, quantity, key=abs)
        found.append(Lot(part, lot.price, lot.time))
        quantity -= part
    return found


class Account:
    """The cash and the positions; `holdings` and `start_cash` are those of the start of the day."""

    def __init__(
        self, cash: Decimal, holdings: Sequence[Holding], crypto_fee: Decimal = CRYPTO_FEE
    ) -> None:
        """Start a day.

        Raises:
            ValueError: the symbol of a holding is invalid.
        """
        self.start_cash = cash
        self.holdings = tuple(holdings)
        self.cash = cash
        self.crypto_fee = crypto_fee
        self._positions: dict[str, Position] = {}
        for one in self.holdings:
            self._add(asset_of(one.symbol), Lot(one.quantity, one.entry_price, None))

    @property
    def positions(self) -> Mapping[str, Position]:
        """The open positions by symbol (`BTCUSD`), in the order in which they were opened."""
        return self._positions

    def quantity(self, symbol: str) -> Decimal:
        """Return the quantity of a symbol's position, negative when sold short, 0 if none."""
        position = self._positions.get(symbol)
        return Decimal(0) if position is None else position.quantity

    def fill(self, asset: Asset, quantity: Decimal, price: Decimal, time: int) -> None:
        """Buy (or sell, if negative) at a price in dollars; `time` is in Unix nanoseconds."""
        credited, charged = quantity, Decimal(0)
        if asset.asset_class == "crypto" and quantity > 0:
            credited = (quantity * (1 - self.crypto_fee)).quantize(_SMALLEST_COIN, ROUND_DOWN)
        elif asset.asset_class == "crypto":
            charged = (-quantity * price * self.crypto_fee).quantize(_CENT, ROUND_UP)
        self.cash -= quantity * price * asset.multiplier + charged
        self._add(asset, Lot(credited, price, time))

    def book(self, asset: Asset, quantity: Decimal, price: Decimal, time: int) -> None:
        """Add (or remove, if negative) units at a price with no fee, as an activity does."""
        self.cash -= quantity * price * asset.multiplier
        self._add(asset, Lot(quantity, price, time))

    def _add(self, asset: Asset, lot: Lot) -> None:
        position = self._positions.setdefault(asset.symbol, Position(asset))
        position.add(lot)
        if not position.quantity:
            del self._positions[asset.symbol]
