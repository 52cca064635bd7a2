"""The invented trades of one pair: as a walk, with an order book around each of them."""

from collections.abc import Sequence
from typing import Final

from simulator.crypto.venue import FIRST_ID
from simulator.protocol.wire import Message
from simulator.tape.invention import priced
from simulator.tape.walk import Spread, Walk, coin_price

_LEVELS: Final = 10
_SMALLEST_ORDER: Final = 50.0
_LARGEST_ORDER: Final = 5000.0
"""Both in dollars."""
_SIZE_DECIMALS: Final = 6


class PairWalk(Walk):
    """The walk of a pair: a whole book, and a trade at its best bid or offer.

    The venue derives the quote from the book.
    """

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self._coin = coin_price(symbol.partition("/")[0])

    def _messages(self, spread: Spread, price: float, now: int) -> Sequence[Message]:
        width = spread.ask - spread.bid
        book = {
            "T": "o",
            "S": self.symbol,
            "t": now,
            "b": self._levels(spread.bid, -width),
            "a": self._levels(spread.ask, width),
            "r": True,
        }
        trade = {
            "T": "t",
            "S": self.symbol,
            "p": price,
            "s": self._size(),
            "t": now,
            "i": FIRST_ID + self.trades,
            "tks": "B" if price == spread.ask else "S",
        }
        return [book, trade]

    def _levels(self, best: float, step: float) -> list[dict[str, float]]:
        return [{"p": priced(best + at * step), "s": self._size()} for at in range(_LEVELS)]

    def _size(self) -> float:
        """Return a number of coins, above 0."""
        coins = self._dice.uniform(_SMALLEST_ORDER, _LARGEST_ORDER) / self._coin
        return max(10.0**-_SIZE_DECIMALS, round(coins, _SIZE_DECIMALS))
