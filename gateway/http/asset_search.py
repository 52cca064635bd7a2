"""The search for a symbol by its beginning, or by words of its name. No I/O."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from shared.asset import Asset, AssetList, AssetType

_NO_LETTERS = re.compile(r"[^a-z0-9]+")


class _Entry(NamedTuple):
    """An asset, its symbol in capitals, and its name as words with a blank before each."""

    asset: Asset
    symbol: str
    words: str


class AssetSearch:
    """Searches one list. ``listed`` is that list."""

    def __init__(self, listed: AssetList) -> None:
        self.listed = listed
        shortest_first = sorted(listed.assets, key=lambda each: (len(each.symbol), each.symbol))
        self._by_symbol = {each.symbol: each for each in listed.assets}
        self._entries = [
            _Entry(each, each.symbol.upper(), _words(each.name)) for each in shortest_first
        ]

    def get(self, symbol: str) -> Asset | None:
        """Return the asset of a symbol; None if the list lacks it."""
        return self._by_symbol.get(symbol)

    def find(
        self, query: str, limit: int, *, type_: AssetType | None = None, exchange: str = ""
    ) -> Sequence[Asset]:
        """Return the best results, at most ``limit``.

        First the symbol itself, then symbols that begin with the query, then names that have words
        beginning with its words, then symbols that contain it; the shorter symbols first.
        """
        kinds = self._kinds(query.strip().upper(), _words(query), type_, exchange.upper())
        return list(islice(chain.from_iterable(kinds), limit))

    def _kinds(
        self, text: str, words: str, type_: AssetType | None, exchange: str
    ) -> Iterator[list[Asset]]:
        kinds: tuple[list[Asset], ...] = ([], [], [], [])
        beginnings = words.split()
        for asset, symbol, name in self._entries:
            if (type_ and asset.type != type_) or (exchange and asset.exchange != exchange):
                continue
            if symbol == text:
                kinds[0].append(asset)
            elif text and symbol.startswith(text):
                kinds[1].append(asset)
            elif beginnings and all(f" {each}" in name for each in beginnings):
                kinds[2].append(asset)
            elif text and text in symbol:
                kinds[3].append(asset)
        yield from kinds


def _words(text: str) -> str:
    return " " + _NO_LETTERS.sub(" ", text.lower()).strip()
