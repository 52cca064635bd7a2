"""The market of pairs and contracts beside the replayed tapes: walks around the present prices."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

from simulator.service import Simulator
from tests.chaos.markets import PAIR_CLOSES, delay_ns, is_option_symbol
from tests.chaos.tape import LATE_NS

_COUNTING = ("S", "I", "a")
_NOT_COUNTING = ("B", "E", "t", "u")
"""Conditions of contracts: a late and a cancelled print, and two for the volume alone."""

_FIRST_PRICE = 10.0
"""Of a contract that the tape has not quoted yet, in dollars."""

_CENT = 0.01


class OtherTape:
    """Makes Alpaca's messages; ``now`` is unix nanoseconds. The simulator's listener notes them."""

    def __init__(self, simulator: Simulator, dice: random.Random) -> None:
        self._simulator = simulator
        self._dice = dice
        self._ids = itertools.count(1)
        """Those of the tape begin far above."""

    def price(self, symbol: str) -> float:
        """Return the present price of a symbol at the simulator, in dollars."""
        if is_option_symbol(symbol):
            return self._simulator.options.price(symbol) or _FIRST_PRICE
        return self._simulator.crypto.market.price(symbol) or PAIR_CLOSES[symbol]

    def anything(self, symbols: Sequence[str], now: int) -> dict[str, Any]:
        """Return a message of one of the symbols: mostly a trade that counts, on time."""
        symbol, chance = self._dice.choice(symbols), self._dice.random()
        if chance < 0.3 and is_option_symbol(symbol):
            return self.quote(symbol, now)
        late = self._dice.randrange(50_000_000, LATE_NS) if chance > 0.95 else 0
        return self.trade(symbol, now - late, counts=self._dice.random() < 0.8)

    def trade(self, symbol: str, now: int, *, counts: bool = True) -> dict[str, Any]:
        """Return a trade; those of contracts are shown as late as their feed shows them."""
        at = now - delay_ns(symbol)
        price = self.price(symbol) * (1 + self._dice.gauss(0, 0.0005))
        fields: dict[str, Any]
        if is_option_symbol(symbol):
            code = self._dice.choice(_COUNTING if counts else _NOT_COUNTING)
            size = self._dice.randrange(1, 20)
            fields = {"p": max(_CENT, round(price, 2)), "s": size, "x": "N", "c": code}
        else:
            size_of_coins = round(self._dice.uniform(1, 200), 6)
            taker = self._dice.choice("BS")
            fields = {"p": round(price, 5), "s": size_of_coins, "i": next(self._ids), "tks": taker}
        return {"T": "t", "S": symbol, "t": at, **fields}

    def quote(self, symbol: str, now: int) -> dict[str, Any]:
        """Return a quote around the present price: of a contract in cents."""
        price, dice = self.price(symbol), self._dice
        if is_option_symbol(symbol):
            half = _CENT * dice.randrange(1, 4)
            bid, ask = max(_CENT, round(price - half, 2)), round(price + half, 2)
            sides = {"bp": bid, "bs": dice.randrange(1, 50), "ap": ask, "as": dice.randrange(1, 50)}
            return {"T": "q", "S": symbol, "t": now, "bx": "C", "ax": "C", "c": "A", **sides}
        bid, ask = round(price * 0.9995, 5), round(price * 1.0005, 5)
        return {"T": "q", "S": symbol, "t": now, "bp": bid, "bs": 12.5, "ap": ask, "as": 7.25}

    def whole_book(self, symbol: str, now: int) -> dict[str, Any] | None:
        """Return the whole book of a pair, None if there is none yet."""
        book = self._simulator.crypto.market.book(symbol)
        return None if book is None else {**book.message(symbol), "t": now}
