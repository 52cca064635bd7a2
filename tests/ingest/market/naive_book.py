"""A book rebuilt from scratch, from the rows of Alpaca's messages: the oracle of the books' tests.

It shares no code with ``ingest``: two dicts, and a sort at each look.
"""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
Levels = list[tuple[float, float]]


def rebuilt(rows: Sequence[Row]) -> tuple[dict[float, float], dict[float, float]]:
    """Return all bids and asks after the rows of one pair's messages."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for row in rows:
        if row.get("r"):
            bids, asks = {}, {}
        for side, levels in ((bids, row.get("b")), (asks, row.get("a"))):
            for level in levels or ():
                side[level["p"]] = level["s"]
                if side[level["p"]] == 0:
                    del side[level["p"]]
    return bids, asks


def top(rows: Sequence[Row], count: int = 10) -> tuple[Levels, Levels]:
    """Return the best levels of both sides after the rows, the best first."""
    bids, asks = rebuilt(rows)
    return sorted(bids.items(), reverse=True)[:count], sorted(asks.items())[:count]


def is_crossed(rows: Sequence[Row]) -> bool:
    """Return whether the best bid is not below the best ask after the rows."""
    bids, asks = rebuilt(rows)
    return bool(bids) and bool(asks) and max(bids) >= min(asks)
