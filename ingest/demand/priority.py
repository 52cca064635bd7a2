"""Who gets the plan's slots when there are fewer than symbols. No I/O, no state."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ingest.demand.wanted import QUOTES, TRADES, Want

_HOLDER = 2
"""A holder counts so many times: numbers that move a little move nobody out of a slot."""


class Shares(NamedTuple):
    """What to subscribe to: per channel the symbols, the most important first.

    ``over_limit``: who has no slot at all. ``unquoted``: who has trades but no slot for quotes.
    """

    symbols: dict[str, list[str]]
    over_limit: list[str]
    unquoted: list[str]


def share_out(
    wanted: Sequence[Want],
    held: Mapping[str, Collection[str]],
    limit: int | None,
    *,
    counts_pairs: bool = False,
) -> Shares:
    """Share ``limit`` slots (None: any number) out over what is wanted.

    ``held`` are the symbols that each channel has now. A slot is a symbol, in one channel or
    both; with ``counts_pairs`` it is a symbol in one channel, and then no symbol gets its second
    before every one has its first. Positions come before all others, then the most watched; what
    lingers keeps a slot that nobody needs, but gets none.
    """
    holders = {*held[TRADES], *held[QUOTES]}
    candidates = [want for want in wanted if want.symbol in holders or not want.lingering]
    ranked = sorted(candidates, key=_rank(holders))
    first = ranked[:limit]
    second = [want for want in first if want.channels >= {TRADES, QUOTES}]
    if counts_pairs and limit is not None:
        second.sort(key=_rank(held[QUOTES]))
        room = limit - len(first)
        second, unquoted = second[:room], second[room:]
    else:
        unquoted = []
    trades = [want.symbol for want in first if TRADES in want.channels]
    quotes = [want.symbol for want in first if TRADES not in want.channels]
    return Shares(
        {TRADES: trades, QUOTES: quotes + [want.symbol for want in second]},
        [want.symbol for want in ranked[len(first) :] if not want.lingering],
        [want.symbol for want in unquoted if not want.lingering],
    )


def _rank(holders: Collection[str]) -> Callable[[Want], tuple[bool, bool, int, bool, str]]:
    def rank(want: Want) -> tuple[bool, bool, int, bool, str]:
        holds = want.symbol in holders
        weight = want.viewers * (_HOLDER if holds else 1)
        return not want.position, want.lingering, -weight, not holds, want.symbol

    return rank
