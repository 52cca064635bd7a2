"""The offer that an order fills against: the newest quote, or the last price. Pure.

A quote fills at most its size, once. It fills nothing if a side is missing, if a size or price is
zero, or if its bid is not below its ask. If a symbol has never had a quote, its last price fills
any quantity.
"""

from decimal import Decimal

from simulator.account.asset import Asset
from simulator.account.order import Side
from simulator.account.prices import Prices
from simulator.protocol.decimals import exact
from simulator.protocol.wire import Message


class Depth:
    """One quote with its remaining sizes: the ask's for buyers, the bid's for sellers."""

    def __init__(self, quote: Message) -> None:
        self.quote = quote
        numbers = [quote.get(name) for name in ("bp", "bs", "ap", "as")]
        bid, bid_size, ask, ask_size = (
            Decimal(str(one)) if isinstance(one, int | float) else Decimal(0) for one in numbers
        )
        is_good = 0 < bid < ask and bid_size > 0 and ask_size > 0
        self.prices: dict[Side, Decimal] = {"buy": ask, "sell": bid} if is_good else {}
        self.left: dict[Side, Decimal] = {"buy": ask_size, "sell": bid_size}


class Offers:
    """The market's current offers, minus the filled quantities."""

    def __init__(self, market: Prices) -> None:
        self._market = market
        self._depths: dict[str, Depth] = {}

    def price(self, asset: Asset, side: Side) -> Decimal | None:
        """Return the price at which an order would fill, in dollars."""
        depth = self._depth(asset)
        if depth is None:
            return exact(self._market.price(asset.market_symbol))
        return depth.prices.get(side)

    def take(self, asset: Asset, side: Side, wanted: Decimal) -> Decimal:
        """Remove up to a quantity at that price, and return the quantity removed."""
        depth = self._depth(asset)
        if depth is None:
            return wanted
        taken = min(wanted, depth.left[side])
        depth.left[side] -= taken
        return taken

    def _depth(self, asset: Asset) -> Depth | None:
        quote = self._market.quote(asset.market_symbol)
        if quote is None:
            return None
        depth = self._depths.get(asset.symbol)
        if depth is None or depth.quote is not quote:
            depth = self._depths[asset.symbol] = Depth(quote)
        return depth
