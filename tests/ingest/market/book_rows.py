"""Rows of Alpaca's messages about order books, and the messages that the decoder makes of them."""

import gzip
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgpack

from ingest.alpaca.messages import OrderBook, decode
from ingest.market.order_books import OrderBooks
from ingest.upstream import translation
from shared import rfc3339
from tests.ingest.market.naive_book import Row

TAPES = Path(__file__).parents[3] / "simulator" / "tape" / "tapes"
RECORDINGS = (
    "crypto_gemini_20210624_books_trades.jsonl.gz",
    "crypto_bitfinex_20210417_books.jsonl.gz",
)
PAIR = "BTC/USD"
AT = "2026-11-16T17:00:00.123456789Z"
Sides = Iterable[tuple[float, float]]


@cache
def recorded(name: str) -> list[Row]:
    """Return the rows about books of a recording in the order of their arrival."""
    lines = gzip.decompress((TAPES / name).read_bytes()).splitlines()
    return [row for row in map(json.loads, lines) if row["T"] == "o"]


def row(
    bids: Sides = (), asks: Sides = (), *, reset: bool = False, symbol: str = PAIR, at: str = AT
) -> Row:
    """Return a row; each level is its price and its size."""
    sides = {
        name: [{"p": price, "s": size} for price, size in levels]
        for name, levels in (("b", bids), ("a", asks))
    }
    return {"T": "o", "S": symbol, "t": at, **sides, **({"r": True} if reset else {})}


def frame(*rows: Any) -> bytes:
    """Return rows as Alpaca sends them."""
    packed: bytes = msgpack.packb([_stamped(each) for each in rows])
    return packed


def message(of: Row) -> OrderBook:
    """Return the message that the decoder makes of a row."""
    (found,) = decode(frame(of))
    assert isinstance(found, OrderBook)
    return found


def bring(books: OrderBooks, of: Row, now: float = 0.0, received_us: int = 7) -> None:
    """Bring the message of a row to the books, as a handler does."""
    found = message(of)
    books.on_message(found, translation.order_book_time(found), received_us, now)


def _stamped(of: Any) -> Any:
    if not isinstance(of, dict) or not isinstance(of.get("t"), str):
        return of
    return {**of, "t": msgpack.Timestamp.from_unix_nano(rfc3339.to_nanoseconds(of["t"]))}
