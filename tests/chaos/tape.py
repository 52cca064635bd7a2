"""The market of a chaos run: random walks with all that a tape has, each print in the ledger."""

import random
from collections.abc import Sequence
from typing import Any

from simulator.protocol import rfc3339
from tests.chaos.ledger import Ledger

PROBE = "PROBE"
"""Traded ten times a second, to recognise fresh prices."""

BUSY = ("SPY", "QQQ", "AAPL", "MSFT", "IBM", "BAC", "AIG", "F", "T", "BRK.B")
QUIET = ("CALM", "STILL")
"""Trade once in a while, and whenever something goes wrong: missed prints must not stay missed."""

_COUNTING = {"A": ([" "], [" ", "F"], [" ", "E"]), "C": (["@"], ["@", "F"], ["@", "B"])}
_NOT_COUNTING = {
    "A": ([" ", "I"], ["C"], [" ", "B"], [" ", "7"], ["H"]),
    "C": (["@", "I"], ["W"], ["@", "F", "I"], ["N"], ["@", "U"]),
}


class Tape:
    """Makes Alpaca's messages; ``now`` and ``at`` are unix nanoseconds."""

    def __init__(self, ledger: Ledger, dice: random.Random, *, retractions: bool) -> None:
        self.ledger = ledger
        self._dice = dice
        self._retractions = retractions
        self._prices: dict[str, float] = {}
        self._recent: dict[str, int] = {}
        self._trade_id = 1000

    def anything(self, symbols: Sequence[str], now: int) -> dict[str, Any]:
        """Return a message of one of the symbols: mostly a trade that counts, on time."""
        symbol, chance = self._dice.choice(symbols), self._dice.random()
        if chance < 0.04 and self._retractions and symbol in self._recent:
            return self._retraction(symbol, now)
        late = chance > 0.95 and symbol in self._recent
        at = now - self._dice.randrange(50_000_000, 2_000_000_000) if late else now
        return self.trade(symbol, at, counts=self._dice.random() < 0.75)

    def trade(self, symbol: str, at: int, *, counts: bool = True) -> dict[str, Any]:
        """Return a trade and note it."""
        tape = "A" if len(symbol) % 2 else "C"
        self._trade_id += 1
        price = self._prices.get(symbol) or self._dice.uniform(20, 400)
        price = round(max(5.0, price * (1 + self._dice.gauss(0, 0.0002))), 2)
        self._prices[symbol] = price
        conditions = list(self._dice.choice((_COUNTING if counts else _NOT_COUNTING)[tape]))
        self.ledger.trade(symbol, self._trade_id, at, price, conditions, tape)
        if counts:
            self._recent[symbol] = self._trade_id
        return {
            "T": "t",
            "S": symbol,
            "i": self._trade_id,
            "x": "V",
            "p": price,
            "s": 100 if counts else self._dice.randrange(1, 99),
            "c": conditions,
            "t": rfc3339.render(at),
            "z": tape,
        }

    def _retraction(self, symbol: str, now: int) -> dict[str, Any]:
        """Take back the newest print that was made to count, or correct its price."""
        trade_id = self._recent.pop(symbol)
        found = next(each for each in self.ledger.prints[symbol] if each.trade_id == trade_id)
        message = {"S": symbol, "x": "V", "t": rfc3339.render(now)}
        tape = "A" if len(symbol) % 2 else "C"
        if self._dice.random() < 0.5:
            self.ledger.cancel(symbol, trade_id)
            return {"T": "x", **message, "i": trade_id, "p": found.price, "s": 100, "a": "C"} | {
                "z": tape
            }
        self._trade_id += 1
        price, codes = round(found.price + 0.01, 2), list(_COUNTING[tape][0])
        self.ledger.correct(symbol, trade_id, self._trade_id, price)
        old = {"oi": trade_id, "op": found.price, "os": 100, "oc": codes}
        new = {"ci": self._trade_id, "cp": price, "cs": 100, "cc": codes}
        return {"T": "c", **message, **old, **new, "z": tape}
