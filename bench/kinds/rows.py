"""The messages of each kind by their wire keys, and frames of them.

They are those of the shipped recordings, as far as these have the kind. The others are made up in
the form of the examples in Alpaca's documentation. Times (``t``) are unix ns.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count, cycle
from typing import Any, TypeAlias

from bench.sentiment.headlines import headlines
from bench.tape_frames import BETWEEN_TRADES_NS
from ingest.market.status_codes import UTP
from simulator.crypto.book import Book
from simulator.crypto.book_tape import BITFINEX, GEMINI, read_book_tape
from simulator.options.recording import SHIPPED_OPTION_TAPE, read_option_tape
from simulator.protocol.wire import Format, encode, join, times_of
from simulator.tape.recording import SHIPPED, Tape, read_tape

Row: TypeAlias = dict[str, Any]

REGULAR = ([" "], [" ", "F"])
"""The conditions of nearly all prints of the tape, which allow them to move the last price."""

PAUSE = ("P", "Q", "T")
"""The statuses of a volatility pause: trading is paused, quotes resume, trading resumes."""

FIRST_ID = 1 << 40
"""Packed in nine bytes, as Alpaca's ids of trades are."""

_REASON = "LUDP"
_PRICES = 100
_SUMMARIES, _PARAGRAPHS = 3, 20


def trades() -> list[Row]:
    """Return the shipped tape's trades."""
    return _rows(_shipped(), "t")


def regular_trades() -> list[Row]:
    """Return those that move the last price."""
    return [row for row in trades() if row["c"] in REGULAR]


def equal_trades(symbols: Iterable[str]) -> list[Row]:
    """Return a regular trade of each symbol, all at one price."""
    trade = {"x": "V", "p": 20.5, "s": 100, "c": ["@"], "z": "C"}
    return [{"T": "t", "i": None, "S": symbol, **trade} for symbol in symbols]


def quotes() -> list[Row]:
    """Return the shipped tape's quotes."""
    return _rows(_shipped(), "q")


def statuses(symbols: Sequence[str]) -> list[Row]:
    """Return the statuses of a pause that all symbols have at once, one status after the other."""
    reason = {"rc": _REASON, "rm": UTP.reasons[_REASON].text}
    return [
        {"T": "s", "S": symbol, "sc": code, "sm": UTP.statuses[code].text, **reason, "z": "C"}
        for code in PAUSE
        for symbol in symbols
    ]


def price_bands(symbols: Sequence[str]) -> list[Row]:
    """Return price bands of each symbol in turns, each around another price than before."""
    return [
        {"T": "l", "S": symbol, "u": round(price * 1.05, 2), "d": round(price * 0.95, 2)}
        | {"i": "B", "z": "C"}
        for symbol, price in _prices(symbols)
    ]


def imbalances(symbols: Sequence[str]) -> list[Row]:
    """Return imbalances of each symbol in turns, each at another price than before."""
    return [{"T": "i", "S": symbol, "p": price, "z": "C"} for symbol, price in _prices(symbols)]


def correction_of(trade: Row, new_id: int) -> Row:
    """Return the correction of a trade: it was a cent dearer."""
    symbol, place = trade["S"], {"x": trade["x"], "z": trade["z"]}
    wrong = {"oi": trade["i"], "op": trade["p"], "os": trade["s"], "oc": trade["c"]}
    right = {"ci": new_id, "cp": round(trade["p"] + 0.01, 4), "cs": trade["s"], "cc": trade["c"]}
    return {"T": "c", "S": symbol, **place, **wrong, **right}


def cancel_of(trade: Row) -> Row:
    """Return the cancel of a trade."""
    kept = {key: trade[key] for key in ("S", "i", "x", "p", "s", "z")}
    return {"T": "x", **kept, "a": "C"}


def pair_trades() -> list[Row]:
    """Return the trades of the recording of Gemini's."""
    return _rows(read_book_tape(GEMINI), "t")


def pair_quotes() -> list[Row]:
    """Return the best bid and offer of the recorded books after each change of them."""
    found: list[Row] = []
    for tape in (GEMINI, BITFINEX):
        books = defaultdict[str, Book](Book)
        for row in books_of(read_book_tape(tape)):
            book = books[row["S"]]
            before = book.best
            book.apply(row, 0)
            if book.best != before:
                sides = dict(zip(("bp", "bs", "ap", "as"), book.best, strict=True))
                found.append({"T": "q", "S": row["S"], **sides})
    return found


def books_of(tape: Tape) -> list[Row]:
    """Return the messages about books of a recorded tape, in order."""
    return _rows(tape, "o")


def option_trades() -> list[Row]:
    """Return the trades of the recorded contracts."""
    return _rows(read_option_tape(SHIPPED_OPTION_TAPE), "t")


def option_quotes() -> list[Row]:
    """Return the quotes of the recorded contracts."""
    return _rows(read_option_tape(SHIPPED_OPTION_TAPE), "q")


def articles() -> list[Row]:
    """Return articles with real headlines, and with texts of them as long as those of articles."""
    texts = [each.text for each in headlines()]
    return [
        _article([texts[(number + place) % len(texts)] for place in range(1 + _PARAGRAPHS)])
        for number in range(len(texts))
    ]


def endless(found: Sequence[Row]) -> Iterator[Row]:
    """Yield messages again and again."""
    return cycle(found)


def numbered(found: Sequence[Row], *, key: str = "i", first: int = FIRST_ID) -> Iterator[Row]:
    """Yield messages again and again, each with another id under ``key``."""
    for number, row in zip(count(first), cycle(found), strict=False):
        yield {**row, key: number}


class Stamps:
    """Gives messages the present time, each a little later than the one before."""

    def __init__(self) -> None:
        self._at = 0

    def put(self, given: Iterable[Row]) -> Iterator[Row]:
        """Yield messages with their times."""
        for row in given:
            self._at = max(time.time_ns(), self._at + BETWEEN_TRADES_NS)
            yield {**row, **dict.fromkeys(times_of(row), self._at)}


def frames(given: Iterable[Mapping[str, Any]], per_frame: int) -> list[bytes]:
    """Return messages as frames of so many."""
    encoded = [encode(row, Format.MSGPACK) for row in given]
    return [
        join(encoded[start : start + per_frame], Format.MSGPACK)
        for start in range(0, len(encoded), per_frame)
    ]


def _rows(tape: Tape, tag: str) -> list[Row]:
    return [dict(row.fields) for row in tape.rows if row.fields["T"] == tag]


def _prices(symbols: Sequence[str]) -> Iterator[tuple[str, float]]:
    for cents in range(_PRICES):
        for place, symbol in enumerate(symbols):
            yield symbol, round(20 + place + cents / 100, 2)


def _article(texts: Sequence[str]) -> Row:
    return {
        "T": "n",
        "id": None,
        "headline": texts[0],
        "summary": ". ".join(texts[1 : 1 + _SUMMARIES]),
        "author": "Benzinga Newsdesk",
        "url": "https://www.benzinga.com/general/article",
        "content": "".join(f"<p>{text}.</p>\n" for text in texts[1:]),
        "symbols": ["SPY", "IBM"],
        "source": "benzinga",
    }


@cache
def _shipped() -> Tape:
    return read_tape(SHIPPED)
