"""Symbols, and how they are spelled: SPY, BRK.B, BTC/USD, AAPL240119C00100000."""

import re
from collections.abc import Collection
from functools import partial

from shared.excerpt import excerpt
from shared.markets import MARKETS, STOCKS, Market, market_of

shown = partial(excerpt, limit=40)
"""The longest topics have 36 characters."""

QUOTE_CURRENCIES = ("USDT", "USDC", "USD", "BTC")
"""The second currencies of Alpaca's pairs; longer names first, since one ends in another."""

# Stocks have at most five letters before a dot, so six letters of this form are no stock.
_BARE_PAIR = re.compile(rf"(?=[A-Z]{{6}})([A-Z]{{2,10}}?)({'|'.join(QUOTE_CURRENCIES)})")

_CLASS_WITH_SLASH = re.compile(r"([A-Z]{1,5})/([A-Z]{1,2})")

_ALL = ", ".join(f"{each.example} for {each.what}" for each in reversed(MARKETS))


class InvalidSymbolError(ValueError):
    """Text that cannot be a symbol at Alpaca. The message names it and the remedy."""


def symbol_of(text: str, markets: Collection[Market] = MARKETS) -> str:
    """Return a symbol of one of the markets in the spelling that topics and events use.

    Upper case, class shares with a dot, and pairs with a slash: the broker's ``BTCUSD`` becomes
    ``BTC/USD``.

    Raises:
        InvalidSymbolError: the text is no symbol of these markets.
    """
    symbol = text.strip().upper()
    if not symbol:
        raise InvalidSymbolError("an empty symbol: write them as SPY,IBM without a comma too many")
    symbol = with_slash(symbol)
    market = market_of(symbol) if text.isascii() else None  # 'ß' in upper case is SS
    if market is None:
        raise InvalidSymbolError(f"{shown(text)} is not a symbol: {_remedy(symbol)}")
    if market not in markets:
        wanted = " or ".join(f"{each.what} such as {each.example}" for each in markets)
        raise InvalidSymbolError(f"{shown(text)} is {market.what}: expected {wanted}")
    return symbol


def with_slash(symbol: str) -> str:
    """Return a pair that lacks only its slash with it, any other text as it is."""
    pair = _BARE_PAIR.fullmatch(symbol)
    return symbol if pair is None else f"{pair[1]}/{pair[2]}"


def bare(symbol: str) -> str:
    """Return a pair as the broker and the news write it: ``BTCUSD``; other symbols as they are."""
    return symbol.replace("/", "")


def is_stock(symbol: str) -> bool:
    """Return whether a symbol has the form of a stock's."""
    return market_of(symbol) is STOCKS


def _remedy(symbol: str) -> str:
    if share := _CLASS_WITH_SLASH.fullmatch(symbol):
        return f"write {share[1]}.{share[2]}"
    return f"expected letters such as {_ALL}, or BRK.B for a share class"
