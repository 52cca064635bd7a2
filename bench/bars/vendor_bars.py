"""The vendor's bars of many symbols, made up from a seed: a minute's frames, and REST's pages."""

import random
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgpack
from websockets.frames import Frame, Opcode

from bench.feeder import Query
from bench.tape_frames import symbol_of

PER_FRAME = 100
MINUTE_SECONDS = 60


def symbols_of(count: int) -> list[str]:
    """Return a number of symbols."""
    return [symbol_of(number) for number in range(count)]


class VendorMinutes:
    """Each minute's bars of all symbols; a bar opens at the close of the one before it.

    ``closes`` are those of the newest minute by symbol.
    """

    def __init__(self, symbols: Sequence[str], seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - prices, no secret
        self.closes = {symbol: round(self._random.uniform(5, 500), 2) for symbol in symbols}

    def frames(self, minute: int) -> list[bytes]:
        """Return the WebSocket frames of the minute that starts at ``minute``, unix s."""
        bars = self.bars(minute)
        return [
            Frame(Opcode.BINARY, msgpack.packb(bars[at : at + PER_FRAME])).serialize(mask=False)
            for at in range(0, len(bars), PER_FRAME)
        ]

    def bars(self, minute: int) -> list[dict[str, Any]]:
        """Return the bars of that minute by their wire keys. They open at the last closes."""
        return [self._bar(symbol, minute) for symbol in self.closes]

    def _bar(self, symbol: str, minute: int) -> dict[str, Any]:
        fields = _prices(self._random, self.closes[symbol])
        self.closes[symbol] = fields["c"]
        return {"T": "b", "S": symbol, **fields, "t": msgpack.Timestamp(minute, 0)}


class BarPages:
    """REST's answers for bars: of each symbol ``minutes`` from the start that was asked for.

    ``requests`` counts those for minutes.
    """

    def __init__(self, symbols: Sequence[str], minutes: int, seed: int = 1) -> None:
        self.requests = 0
        self._minutes = minutes
        chance = random.Random(seed)  # noqa: S311 - likewise
        self._bars = {symbol: _course(chance, minutes) for symbol in symbols}
        """The bars of each symbol, oldest first, with no times. REST itself is not measured."""

    def __call__(self, query: Query) -> object:
        """Return a page of at most ``limit`` bars of all symbols, sorted by symbol, then time."""
        if query["timeframe"] != ["1Min"]:
            return {"bars": {}, "next_page_token": None}
        self.requests += 1
        symbols = sorted(query["symbols"][0].split(","))
        start = int(datetime.fromisoformat(query["start"][0]).timestamp())
        start += -start % MINUTE_SECONDS
        times = [
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + number * MINUTE_SECONDS))
            for number in range(self._minutes)
        ]
        limit, at = int(query["limit"][0]), int(query.get("page_token", ["0"])[0])
        whole = len(symbols) * self._minutes
        page: dict[str, list[dict[str, Any]]] = {}
        while at < whole and limit:
            symbol, first = symbols[at // self._minutes], at % self._minutes
            last = min(self._minutes, first + limit)
            bars = self._bars[symbol]
            page[symbol] = [{**bars[each], "t": times[each]} for each in range(first, last)]
            at, limit = at + last - first, limit - (last - first)
        return {"bars": page, "next_page_token": str(at) if at < whole else None}


def _course(chance: random.Random, minutes: int) -> list[dict[str, Any]]:
    close, bars = round(chance.uniform(5, 500), 2), []
    for _ in range(minutes):
        bars.append(_prices(chance, close))
        close = bars[-1]["c"]
    return bars


def _prices(chance: random.Random, opens_at: float) -> dict[str, Any]:
    """Return a bar's prices and sizes by their wire keys, in their usual lengths."""
    close = max(0.01, round(opens_at * chance.uniform(0.998, 1.002), 2))
    high, low = max(opens_at, close), min(opens_at, close)
    return {
        "o": opens_at,
        "h": round(high * 1.001, 2),
        "l": round(low * 0.999, 2),
        "c": close,
        "v": chance.randrange(100, 100_000),
        "n": chance.randrange(1, 1_000),
        "vw": round((high + low) / 2 * chance.uniform(0.9999, 1.0001), 6),
    }
