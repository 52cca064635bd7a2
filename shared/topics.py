"""Topics and symbols, and how they are spelled."""

import re
from functools import partial
from types import MappingProxyType

from shared.excerpt import excerpt

shown = partial(excerpt, limit=40)
"""The longest topics have 36 characters."""

# Alpaca's stock symbols: letters first, digits in some, up to two dotted suffixes: BRK.B, BAC.PRB,
# and AAC.WS.A for a series of warrants.
_STOCK = re.compile(r"[A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4}){0,2}")

# Other assets of an account: BTC/USD, and options in OCC's form as AAPL240119C00100000. After an
# adjustment of the contract its root ends in a digit: AAPL1261218C00100000.
_PAIR = re.compile(r"[A-Z0-9]{2,10}/[A-Z]{3,5}")
_OPTION = re.compile(r"[A-Z]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}")

# Escrow shares and contingent rights have symbols like CUSIPs: 628CVR016.
_CONTRA = re.compile(r"[0-9][A-Z0-9]{1,11}")

_BARE_PAIR = re.compile(r"([A-Z]{3,5})(USD[TC]?)")
_CLASS_WITH_SLASH = re.compile(r"([A-Z]{1,5})/([A-Z]{1,2})")

PRICE = "price"
QUOTE = "quote"
LULD = "luld"
TRADE = "trade"
STATUS = "status"
BOOK = "book"
POSITION = "position"
ACCOUNT = "account"
ORDERS = "orders"
NEWS = "news"
MINUTE_BAR = "bar.1Min"
FIVE_MINUTE_BAR = "bar.5Min"
FIFTEEN_MINUTE_BAR = "bar.15Min"
HOUR_BAR = "bar.1Hour"
DAY_BAR = "bar.1Day"

KINDS = MappingProxyType(
    {
        PRICE: False,
        QUOTE: False,
        LULD: False,
        TRADE: True,
        STATUS: False,
        MINUTE_BAR: True,
        FIVE_MINUTE_BAR: True,
        FIFTEEN_MINUTE_BAR: True,
        HOUR_BAR: True,
        DAY_BAR: True,
        NEWS: True,
        BOOK: False,
        POSITION: False,
        ACCOUNT: False,
        ORDERS: True,
    }
)
"""Every kind of topic, and whether it is ordered."""

ORDERED = frozenset(kind for kind, ordered in KINDS.items() if ordered)
"""Kinds of which every event matters: they have a history, are not conflated, and a loss is
announced as a ``gap``. For the other kinds only the newest value matters."""

BARS = frozenset({MINUTE_BAR, FIVE_MINUTE_BAR, FIFTEEN_MINUTE_BAR, HOUR_BAR, DAY_BAR})
"""Ordered kinds that also have a value: the running bar, of which only the newest version
matters, so a client receives it at its interval and never a second time when it resumes."""

EVERYTHING = "*"
WITH_EVERYTHING = frozenset({NEWS, POSITION})
"""Kinds with a topic for all symbols: ``news:*`` is all news, ``position:*`` all positions."""

WITHOUT_SYMBOL = frozenset({ACCOUNT, ORDERS})
"""Kinds that have a single topic, named after the kind: ``account``."""

COMPANIONS = frozenset({STATUS, ACCOUNT})
"""Kinds that accompany others, and do not count towards the limits on topics."""


class InvalidSymbolError(ValueError):
    """Text that cannot be a symbol at Alpaca. The message names it and the remedy."""


class InvalidTopicError(ValueError):
    """Text that is not a topic. The message names it and the remedy."""


def stock_symbol(text: str) -> str:
    """Return a stock symbol in Alpaca's spelling: upper case, class shares with a dot.

    Raises:
        InvalidSymbolError: the text cannot be a stock symbol.
    """
    symbol = text.strip().upper()
    if text.isascii() and _STOCK.fullmatch(symbol):  # 'ß' in upper case is SS
        return symbol
    if share := _CLASS_WITH_SLASH.fullmatch(symbol):
        raise InvalidSymbolError(
            f"{shown(text)} is not a stock symbol: write {share[1]}.{share[2]}"
        )
    if "/" in symbol:
        raise InvalidSymbolError(
            f"{shown(text)} is not a stock symbol: only stocks are served, no pairs"
        )
    if not symbol:
        raise InvalidSymbolError("an empty symbol: write them as SPY,IBM without a comma too many")
    raise InvalidSymbolError(
        f"{shown(text)} is not a stock symbol: expected letters such as SPY, or BRK.B for a share "
        "class"
    )


def asset_symbol(text: str) -> str:
    """Return the symbol of any asset that an account can hold.

    A stock, a pair, an option, or a contra symbol such as 628CVR016.

    Raises:
        InvalidSymbolError: the text is none of these.
    """
    symbol = text.strip().upper()
    if text.isascii() and any(each.fullmatch(symbol) for each in (_PAIR, _OPTION, _CONTRA)):
        return symbol
    if pair := pair_of(symbol):
        raise InvalidSymbolError(f"{shown(text)} is not a symbol: write {pair}")
    return stock_symbol(text)


def pair_of(symbol: str) -> str | None:
    """Return the pair that a symbol is meant as, if it lacks only the slash: BTC/USD for BTCUSD.

    A stock may look the same, so this is no more than a hint.
    """
    pair = _BARE_PAIR.fullmatch(symbol)
    return None if pair is None else f"{pair[1]}/{pair[2]}"


def price_topic(symbol: str) -> str:
    """Return the topic of a symbol's last price: its key and its channel in Redis."""
    return f"{PRICE}:{symbol}"


def topic(kind: str, key: str) -> str:
    """Return a topic: ``quote``, ``SPY`` → ``quote:SPY``."""
    return f"{kind}:{key}"


def symbol_topic(kind: str, text: str) -> str:
    """Return the topic of a kind for a symbol, or for ``*`` if the kind has such a topic.

    Raises:
        InvalidSymbolError: the text is neither.
    """
    if text.strip() == EVERYTHING and kind in WITH_EVERYTHING:
        return topic(kind, EVERYTHING)
    return topic(kind, asset_symbol(text) if kind == POSITION else stock_symbol(text))


def parse_topic(text: str) -> str:
    """Return a topic in its published spelling: ``price:spy`` → ``price:SPY``.

    Raises:
        InvalidTopicError: the kind does not exist, or does not have the symbol.
    """
    kind, colon, key = text.strip().partition(":")
    if kind in WITHOUT_SYMBOL:
        if colon:
            raise InvalidTopicError(
                f"{shown(text)} is not a topic: {kind} has no symbol, write {kind}"
            )
        return kind
    if not colon:
        raise InvalidTopicError(
            f"{shown(text)} is not a topic: write a kind and a symbol as price:SPY"
        )
    if kind not in KINDS:
        raise InvalidTopicError(
            f"{shown(text)} is not a topic: there is no kind {shown(kind)}, only {' '.join(KINDS)}"
        )
    try:
        return symbol_topic(kind, key)
    except InvalidSymbolError as error:
        raise InvalidTopicError(f"{shown(text)} is not a topic: {error}") from error


def kind_of(topic: str) -> str:
    """Return the kind of a topic, which is the name of its events: ``price:SPY`` → ``price``."""
    return topic.partition(":")[0]


def is_ordered(topic: str) -> bool:
    """Return whether every event of a topic matters: ``trade:SPY``, but not ``price:SPY``."""
    return topic.partition(":")[0] in ORDERED


def has_interval(topic: str) -> bool:
    """Return whether a client may choose how often it gets a topic's values.

    Those of ``price:SPY`` and the running bars of ``bar.1Min:SPY``, but not ``trade:SPY``.
    """
    kind = topic.partition(":")[0]
    return kind not in ORDERED or kind in BARS


def key_of(topic: str) -> str:
    """Return the symbol of a topic: ``price:SPY`` → ``SPY``."""
    return topic.partition(":")[2]
