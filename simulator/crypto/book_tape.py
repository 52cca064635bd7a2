"""Reading a recorded tape of pairs: their order books and trades, one message a line.

The rows have the shape of Alpaca's crypto stream, in the order of arrival: a pair's first `o` is
its whole book, with `r`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from simulator.crypto.book import Book, middle
from simulator.protocol.subscription import is_pair
from simulator.protocol.wire import Message
from simulator.tape.recording import SHIPPED, Sidecar, Tape, check_numbers, decode_row, read_rows

GEMINI: Final = SHIPPED.with_name("crypto_gemini_20210624_books_trades.jsonl.gz")
"""Half a minute of 24 June 2021: the books and trades of ten pairs; see `tapes/SOURCES.md`."""

BITFINEX: Final = SHIPPED.with_name("crypto_bitfinex_20210417_books.jsonl.gz")
"""Half a minute of 17 April 2021: the books of six pairs, no trades."""

# The order of the fields in Alpaca's documentation.
_KEY_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "t": ("T", "S", "p", "s", "t", "i", "tks"),
    "q": ("T", "S", "bp", "bs", "ap", "as", "t"),
    "o": ("T", "S", "t", "b", "a", "r"),
}
_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "t": ("p", "s"),
    "q": ("bp", "bs", "ap", "as"),
}


def read_book_tape(path: Path) -> Tape:
    """Read a tape of pairs.

    Raises:
        TapeError: the file is missing, unreadable or empty, or a line is not a message.
    """
    return Tape(path, read_rows(path, parse_row), Sidecar())


def parse_row(line: bytes) -> dict[str, object]:
    """Read one line as a message, `t` in nanoseconds, keys in Alpaca's order.

    Raises:
        ValueError: it is not a JSON object, or a field is missing or invalid.
    """
    row, kind = decode_row(line, tuple(_KEY_ORDER))
    if not is_pair(row.get("S")):
        raise ValueError(f'"S" is {row.get("S")!r}, expected a pair such as BTC/USD')
    check_numbers(row, _NUMBERS.get(kind, ()))
    if kind == "o" and not Book().apply(row, 0):
        raise ValueError('"b" or "a" is no list of levels such as {"p": 64000.5, "s": 0.25}')
    if kind == "t":
        row.setdefault("i", None)
    return {key: row[key] for key in _KEY_ORDER[kind] if key in row} | row


def first_prices(tape: Tape) -> Mapping[str, float]:
    """Return the price at which each pair begins: of its first trade, quote or book."""
    prices: dict[str, float] = {}
    for row in tape.rows:
        symbol = cast("str", row.fields["S"])
        if symbol not in prices and (price := _price(row.fields)):
            prices[symbol] = price
    return prices


def quoted_pairs(tape: Tape) -> frozenset[str]:
    """Return the pairs whose quotes are recorded."""
    return frozenset(str(row.fields["S"]) for row in tape.rows if row.fields["T"] == "q")


def trade_ids(tape: Tape) -> Sequence[int]:
    """Return the recorded ids of the trades, in order."""
    numbers = (row.fields["i"] for row in tape.rows if row.fields["T"] == "t")
    return [number for number in numbers if isinstance(number, int)]


def _price(fields: Message) -> float | None:
    if fields["T"] == "t":
        return cast("float", fields["p"])
    if fields["T"] == "q":
        return middle(cast("float", fields["bp"]), cast("float", fields["ap"]))
    book = Book()
    book.apply(fields, 0)
    return middle(book.best.bid, book.best.ask)
