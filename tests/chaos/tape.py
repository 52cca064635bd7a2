"""The market of a chaos run: random walks with all that a tape has, all of it in the ledger."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from simulator.protocol import rfc3339
from simulator.tape.trade_ids import TradeIds
from tests.chaos.ledger import Ledger, Print, Quote, Values

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
_EXCHANGES = ("V", "V", "D")
"""``D`` repeats its ids, see ``simulator.tape.trade_ids``."""

LATE_NS = 1_500_000_000
"""The limit for late prints: a print that is later than two seconds may be lost with an outage."""

_EARLIER_NS = 300_000
"""A quote may be older than the one before it: by up to 0.35 ms in Alpaca's own stream."""


class Tape:
    """Makes Alpaca's messages; ``now`` and ``at`` are unix nanoseconds."""

    def __init__(self, ledger: Ledger, dice: random.Random, *, retractions: bool) -> None:
        self.ledger = ledger
        self.dice = dice
        self._retractions = retractions
        self._prices: dict[str, float] = {}
        self._recent: dict[str, Print] = {}
        self._ids = TradeIds()

    def price(self, symbol: str) -> float:
        """Return the present price of a symbol in dollars: that of its newest print, if any."""
        if symbol not in self._prices:
            self._prices[symbol] = round(self.dice.uniform(20, 400), 2)
        return self._prices[symbol]

    def anything(self, symbols: Sequence[str], now: int) -> dict[str, Any]:
        """Return a message of one of the symbols: mostly a trade that counts, on time."""
        symbol, chance = self.dice.choice(symbols), self.dice.random()
        if chance < 0.04 and self._retractions and self.can_retract(symbol):
            return self.retraction(symbol, now)
        if chance < 0.3:
            return self.quote(symbol, now)
        late = chance > 0.95 and symbol in self._recent
        at = now - self.dice.randrange(50_000_000, LATE_NS) if late else now
        return self.trade(symbol, now, at=at, counts=self.dice.random() < 0.75)

    def trade(
        self, symbol: str, now: int, *, at: int | None = None, counts: bool = True
    ) -> dict[str, Any]:
        """Return a trade and note it; ``at`` is its exchange time, by default ``now``."""
        moment = now if at is None else at
        tape = "A" if len(symbol) % 2 else "C"
        price = round(max(5.0, self.price(symbol) * (1 + self.dice.gauss(0, 0.0002))), 2)
        self._prices[symbol] = price
        conditions = self.dice.choice((_COUNTING if counts else _NOT_COUNTING)[tape])
        exchange = self.dice.choice(_EXCHANGES)
        size = 100 * self.dice.randrange(1, 20) if counts else self.dice.randrange(1, 99)
        values = Values(self._ids.next(symbol, exchange, moment), price, size)
        print_ = Print(symbol, exchange, moment, now, values, tuple(conditions), tape)
        self.ledger.trade(print_)
        if counts:
            self._recent[symbol] = print_
        return {
            "T": "t",
            "S": symbol,
            "i": values.trade_id,
            "x": exchange,
            "p": price,
            "s": size,
            "c": list(conditions),
            "t": rfc3339.render(moment),
            "z": tape,
        }

    def quote(self, symbol: str, now: int) -> dict[str, Any]:
        """Return a quote around the present price, and note it."""
        cents = round(self.price(symbol) * 100)
        is_earlier = bool(self.ledger.quotes.get(symbol)) and self.dice.random() < 0.1
        at = self.ledger.quotes[symbol][-1].at - _EARLIER_NS if is_earlier else now
        bid, ask = cents - self.dice.randrange(1, 4), cents + self.dice.randrange(1, 4)
        sizes = [self.dice.randrange(1, 9) * 100 for _ in range(2)]
        quote = Quote(at, bid / 100, sizes[0], ask / 100, sizes[1])
        self.ledger.quote(symbol, quote)
        return {
            "T": "q",
            "S": symbol,
            "bx": "V",
            "bp": quote.bid,
            "bs": quote.bid_size,
            "ax": "V",
            "ap": quote.ask,
            "as": quote.ask_size,
            "c": ["R"],
            "t": rfc3339.render(at),
            "z": "A" if len(symbol) % 2 else "C",
        }

    def can_retract(self, symbol: str) -> bool:
        """Return whether a print can be retracted, and a client can see which one is meant."""
        found = self._recent.get(symbol)
        return found is not None and not any(
            each is not found and (each.exchange, each.values) == (found.exchange, found.values)
            for each in self.ledger.prints[symbol]
        )

    def retraction(self, symbol: str, now: int, *, cancel: bool | None = None) -> dict[str, Any]:
        """Cancel the newest print that was made to count, or correct its price."""
        print_ = self._recent.pop(symbol)
        old = print_.values
        message = {"S": symbol, "x": print_.exchange, "t": rfc3339.render(now), "z": print_.tape}
        if self.dice.random() < 0.5 if cancel is None else cancel:
            self.ledger.cancel(print_, now)
            return {"T": "x", **message, "i": old.trade_id, "p": old.price, "s": old.size, "a": "C"}
        # Two facilities of D may just have the same number: REST could not tell the two apart.
        while (new_id := self._ids.next(symbol, print_.exchange, now)) == old.trade_id:
            pass
        new = Values(new_id, round(old.price + 0.01, 2), old.size)
        self.ledger.correct(print_, new, now)
        codes = list(print_.conditions)
        was = {"oi": old.trade_id, "op": old.price, "os": old.size, "oc": codes}
        now_is = {"ci": new.trade_id, "cp": new.price, "cs": new.size, "cc": codes}
        return {"T": "c", **message, **was, **now_is}


def closes(tape: Tape, symbols: Iterable[str]) -> dict[str, float]:
    """Return a previous close for each symbol, near its first price, in dollars."""
    return {
        symbol: round(tape.price(symbol) * tape.dice.uniform(0.97, 1.03), 2) for symbol in symbols
    }
