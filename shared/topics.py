"""Topics and symbols: what may be watched, and how it is spelled."""

import re

# Alpaca's stock symbols: letters first, digits in some, one dotted suffix (BRK.B, BAC.PRB).
_STOCK = re.compile(r"[A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4})?")

PRICE = "price"
QUOTE = "quote"
STATUS = "status"
TRADE = "trade"
DAY_BAR = "bar.1Day"
NEWS = "news"

ORDERED = frozenset({TRADE, DAY_BAR, NEWS})
"""Kinds of which every event matters: they have a history, are never conflated, and a loss is
announced as a ``gap``. Of the others only the newest value matters."""

EVERYTHING = "*"


class InvalidSymbolError(ValueError):
    """A symbol that no Alpaca stock can have. The message names it and the remedy."""


def stock_symbol(text: str) -> str:
    """Return a stock symbol in Alpaca's spelling: upper case, class shares with a dot.

    Raises:
        InvalidSymbolError: the text cannot be a stock symbol.
    """
    symbol = text.strip().upper()
    if text.isascii() and _STOCK.fullmatch(symbol):  # 'ß' in upper case is SS
        return symbol
    if "/" in symbol:
        raise InvalidSymbolError(
            f"{text!r} is not a stock symbol: only stocks are served, no pairs"
        )
    if not symbol:
        raise InvalidSymbolError("an empty symbol: write them as SPY,IBM without a comma too many")
    raise InvalidSymbolError(
        f"{text!r} is not a stock symbol: expected letters such as SPY, or BRK.B for a share class"
    )


def price_topic(symbol: str) -> str:
    """Return the topic of a symbol's last price: its key and its channel in Redis."""
    return f"{PRICE}:{symbol}"


def topic(kind: str, key: str) -> str:
    """Return a topic: ``quote``, ``SPY`` → ``quote:SPY``."""
    return f"{kind}:{key}"


def kind_of(topic: str) -> str:
    """Return the kind of a topic, which is the name of its events: ``price:SPY`` → ``price``."""
    return topic.partition(":")[0]


def key_of(topic: str) -> str:
    """Return what a topic is about: ``price:SPY`` → ``SPY``."""
    return topic.partition(":")[2]
