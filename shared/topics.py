"""Topics, and how they are spelled."""

from collections.abc import Collection
from types import MappingProxyType

from shared.markets import CRYPTO, OPTIONS, STOCKS, Market
from shared.symbols import InvalidSymbolError, shown, symbol_of

PRICE = "price"
QUOTE = "quote"
LULD = "luld"
IMBALANCE = "imbalance"
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
        IMBALANCE: True,
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

_IN_ORDER = (STOCKS, CRYPTO, OPTIONS)
_NO_OPTIONS = frozenset({STOCKS, CRYPTO})

_MARKETS_OF: MappingProxyType[str, frozenset[Market]] = MappingProxyType(
    {
        # Alpaca has no depth of stocks and of options.
        BOOK: frozenset({CRYPTO}),
        LULD: frozenset({STOCKS}),
        IMBALANCE: frozenset({STOCKS}),
        NEWS: _NO_OPTIONS,
        **dict.fromkeys(BARS, _NO_OPTIONS),
    }
)
"""The markets of whose symbols a kind has topics, if not of all."""

COMPANIONS = frozenset({STATUS, ACCOUNT})
"""Kinds that accompany others, and do not count towards the limits on topics."""


class InvalidTopicError(ValueError):
    """Text that is not a topic. The message names it and the remedy."""


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
    return topic(kind, symbol_of(text, markets_of(kind)))


def markets_of(kind: str) -> Collection[Market]:
    """Return the markets of whose symbols a kind has topics, the best known first."""
    found = _MARKETS_OF.get(kind)
    return [each for each in _IN_ORDER if found is None or each in found]


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
