"""The invented trades of one symbol: a random walk around a price that its name determines.

None of them was ever made. The walk of a symbol is the same in every run; its times are the
clock's. This module knows neither sockets nor the time.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Final, NamedTuple

from simulator.protocol.wire import Message
from simulator.tape.invention import decimals_of, priced

_TRADES_A_SECOND: Final = (1.0, 3.0)
"""Each symbol has its own mean rate within these."""

_LONGEST_PAUSE: Final = 5
"""In mean pauses."""

_SPREAD: Final = 0.0001
_MOVE: Final = 0.0002
_PULL: Final = 0.0001
"""A trade moves the price by 0.02 %, and back by 0.01 % of its distance: so it stays within some
percent of the first price, however long the walk is."""

# Round numbers near those of 2024, so that well-known names do not look wrong at first sight.
_STOCKS: Final[Mapping[str, float]] = {
    "AAPL": 190,
    "AMD": 150,
    "AMZN": 180,
    "DIA": 390,
    "GOOG": 170,
    "GOOGL": 170,
    "IWM": 200,
    "META": 500,
    "MSFT": 410,
    "NVDA": 120,
    "QQQ": 450,
    "TSLA": 240,
}
_COINS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("USD", "USDC", "USDT", "EUR", "GBP"), 1),
    "BTC": 64_000,
    "DOGE": 0.12,
    "ETH": 3_000,
    "LTC": 80,
    "SHIB": 0.00002,
    "SOL": 150,
    "XRP": 0.6,
}
_USUAL_STOCK: Final = 60
_USUAL_COIN: Final = 5


class Spread(NamedTuple):
    """The best bid and offer, in dollars; the bid is above 0 and below the offer."""

    bid: float
    ask: float


class Walk(ABC):
    """The walk of one symbol. `trades` is the number of its trades so far."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.trades = 0
        self._dice = random.Random(f"walk of {symbol}")
        self._rate = self._dice.uniform(*_TRADES_A_SECOND)
        self._usual = self._value = start_price(symbol)

    def take_step(self, now: int) -> Sequence[Message]:
        """Return the next trade, after the offers from which it comes; `now` in Unix ns."""
        self.trades += 1
        spread = spread_around(self._value)
        messages = self._messages(spread, self._dice.choice(spread), now)
        back = _PULL * log(self._value / self._usual)
        self._value *= exp(self._dice.gauss(0, _MOVE) - back)
        return messages

    def next_pause(self) -> float:
        """Return a time until the next trade, in seconds."""
        return min(self._dice.expovariate(self._rate), _LONGEST_PAUSE / self._rate)

    @abstractmethod
    def _messages(self, spread: Spread, price: float, now: int) -> Sequence[Message]:
        """Return the offers, then the trade."""


_EXCHANGES: Final = "KPQVZ"
_REGULAR_SALE: Final[Mapping[str, str]] = {"A": " ", "C": "@"}
_LONGEST_OLD_NAME: Final = 3
_LARGEST_LOTS: Final = 20
_LOT: Final = 100


class StockWalk(Walk):
    """The walk of a stock: a quote, and a trade at one of its prices."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        # As a rule, the New York Stock Exchange lists the shorter names, Nasdaq the longer ones.
        is_short = len(symbol.partition(".")[0]) <= _LONGEST_OLD_NAME
        self._tape = "A" if is_short else "C"

    def _messages(self, spread: Spread, price: float, now: int) -> Sequence[Message]:
        dice, common = self._dice, {"t": now, "z": self._tape}
        quote = {
            "T": "q",
            "S": self.symbol,
            "bx": dice.choice(_EXCHANGES),
            "bp": spread.bid,
            "bs": self._shares(),
            "ax": dice.choice(_EXCHANGES),
            "ap": spread.ask,
            "as": self._shares(),
            "c": ["R"],
        }
        trade = {
            "T": "t",
            "i": self.trades,
            "S": self.symbol,
            "x": dice.choice(_EXCHANGES),
            "p": price,
            "s": self._shares(),
            "c": [_REGULAR_SALE[self._tape]],
        }
        return [quote | common, trade | common]

    def _shares(self) -> int:
        return _LOT * min(_LARGEST_LOTS, 1 + int(self._dice.expovariate(0.5)))


def spread_around(value: float) -> Spread:
    """Return a bid and an offer around a price: a hundredth of a percent apart, or one tick."""
    tick = 10.0 ** -decimals_of(value)
    width = tick * max(1, round(value * _SPREAD / tick))
    bid = priced(value - width / 2)
    return Spread(bid, priced(bid + width))


def start_price(symbol: str) -> float:
    """Return the price at which the walk of a stock or a pair starts.

    Dollars for a stock; for a pair the units of its second currency.
    """
    base, _, quoted = symbol.partition("/")
    if not quoted:
        return priced(_STOCKS.get(symbol) or _USUAL_STOCK * _factor(f"stock {symbol}", 0.8))
    return priced(coin_price(base) / coin_price(quoted))


def coin_price(name: str) -> float:
    """Return the price of a currency in dollars."""
    return _COINS.get(name) or _USUAL_COIN * _factor(f"coin {name}", 1.5)


def _factor(seed: str, spread: float) -> float:
    """Return a factor around 1: within e to the power of `spread` for two of three seeds."""
    return exp(random.Random(seed).gauss(0, spread))
