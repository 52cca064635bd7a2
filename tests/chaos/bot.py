"""A bot that trades stocks, pairs and contracts at once, on one account."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx

from tests.chaos.follower import Complain
from tests.chaos.holdings import NONE
from tests.chaos.markets import PAIRS, is_option_symbol, is_pair
from tests.chaos.other_tape import OtherTape
from tests.chaos.record import Record
from tests.chaos.tape import BUSY
from tests.simulator.client import KEYS

TRADED = ("SPY", "IBM", "BAC", "T", "CALM")
"""The stocks in which the account trades."""
STOCKS_AT_ONCE = 3
MOST_SHARES, MOST_CONTRACTS = 900, 20
SHARES, CONTRACTS, DOLLARS = (50, 400), (1, 10), (1_000, 10_000)
"""The sizes of orders: units of stocks and contracts, and what the coins of a pair cost."""

_SMALLEST_ORDER = Decimal("1e-6")
"""Of coins."""


class Bot:
    """Fills orders at once, or sends them to be filled by the market. ``fills``: those at once."""

    def __init__(
        self,
        record: Record,
        other_tape: OtherTape,
        contracts: Sequence[str],
        http: httpx.AsyncClient,
        complain: Complain,
    ) -> None:
        self.fills = 0
        self._record = record
        self._simulator = record.simulator
        self._dice = record.tape.dice
        self._other_tape = other_tape
        self._contracts = contracts
        self._symbols = (*TRADED, *PAIRS, *contracts)
        self._http = http
        self._complain = complain

    async def fill(self, symbol: str | None = None) -> None:
        """Fill an order of some symbol that the account trades, at the present price."""
        self.fills += 1
        await self._simulator.fill(*self._a_fill(symbol or self._dice.choice(self._symbols)))

    async def fill_each(self) -> None:
        """Fill an order of a stock, one of a pair and one of a contract."""
        for symbols in (TRADED, PAIRS, self._contracts):
            await self.fill(self._dice.choice(symbols))

    async def fill_coins(self) -> None:
        """Buy coins, of which the fee is taken, or sell some, with a fee in dollars."""
        await self.fill(self._dice.choice(PAIRS))

    async def fill_spread(self) -> None:
        """Fill an order of two contracts in two parts, each of both legs."""
        bought, sold = self._dice.sample(self._contracts, 2)
        qty = Decimal(self._dice.randrange(*CONTRACTS))
        prices = [Decimal(str(self._price(symbol))) for symbol in (bought, sold)]
        self.fills += 1
        await self._simulator.fill_legs({bought: qty, sold: -qty}, prices, parts=2)

    def a_fill(self) -> tuple[str, Decimal, Decimal]:
        """Return symbol, quantity and price of an order that a fault fills later."""
        return self._a_fill(self._dice.choice(self._symbols))

    def activity(self) -> None:
        """Let some units and dollars arrive or leave, with no order."""
        symbol = self._dice.choice(self._symbols)
        cash = Decimal(self._dice.randrange(1, 9999)) / 100
        self._record.books.activity(symbol, self._quantity(symbol), cash)

    def an_owned_stock(self) -> str | None:
        """Return a symbol of an open position in a stock."""
        owned = sorted(set(self._record.books.now.owned).intersection(TRADED))
        return self._dice.choice(owned) if owned else None

    async def order_some(self) -> None:
        """Send market orders that the next quotes fill in parts: of stocks, a pair, a contract.

        And one for two contracts at once, which fills as a whole.
        """
        await self._http.delete(f"{self._simulator.rest_url}/v2/orders", headers=KEYS)
        stocks = [each for each in TRADED if each in BUSY]
        chosen = self._dice.sample(stocks, STOCKS_AT_ONCE)
        for symbol in (*chosen, self._dice.choice(PAIRS), self._dice.choice(self._contracts)):
            # No more coins are sold than there are.
            qty = self._quantity(symbol) * (1 if is_pair(symbol) else 2)
            asked = {"symbol": symbol, "qty": str(abs(qty)), "side": _side(qty)}
            await self._send({**asked, "type": "market", "time_in_force": "gtc"})
        await self._order_spread()

    async def _order_spread(self) -> None:
        qty = self._dice.randrange(*CONTRACTS)
        legs = [
            {"symbol": symbol, "side": side, "ratio_qty": "1"}
            for symbol, side in zip(
                self._dice.sample(self._contracts, 2), ("buy", "sell"), strict=True
            )
        ]
        asked = {"order_class": "mleg", "qty": str(qty), "legs": legs}
        await self._send({**asked, "type": "market", "time_in_force": "day"})

    async def _send(self, asked: dict[str, Any]) -> None:
        url = f"{self._simulator.rest_url}/v2/orders"
        answer = await self._http.post(url, headers=KEYS, json=asked)
        # 403: the buying power is used up. REST may be down by another fault of the same step, and
        # has then accepted no order.
        is_down = answer.status_code == 503 and "a simulated fault" in answer.text
        if answer.status_code not in (200, 403) and not is_down:
            self._complain(f"an order was answered with {answer.status_code}: {answer.text}")

    def _a_fill(self, symbol: str) -> tuple[str, Decimal, Decimal]:
        return symbol, self._quantity(symbol), Decimal(str(self._price(symbol)))

    def _price(self, symbol: str) -> float:
        if symbol in TRADED:
            return self._record.tape.price(symbol)
        return self._other_tape.price(symbol)

    def _quantity(self, symbol: str) -> Decimal:
        """Return units to buy, or to sell if negative: mostly towards no position."""
        dice = self._dice
        has = self._record.books.now.owned.get(symbol, NONE).qty
        if has and dice.random() < 0.15:
            return -has
        if is_pair(symbol):
            cost = Decimal(dice.randrange(*DOLLARS)) / Decimal(str(self._price(symbol)))
            qty = cost.quantize(_SMALLEST_ORDER)
            # There are no coins to be lent.
            return -min(has, qty) if has > 0 and dice.random() < 0.4 else qty
        most, sizes = MOST_SHARES, SHARES
        if is_option_symbol(symbol):
            most, sizes = MOST_CONTRACTS, CONTRACTS
        return Decimal(dice.randrange(*sizes) * (1 if has < dice.randrange(-most, most) else -1))


def _side(qty: Decimal) -> str:
    return "buy" if qty > 0 else "sell"
