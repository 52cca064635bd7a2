"""A session's subscriptions: channels, symbols, the plan's limit and the acknowledgement.

Pure. Sources: docs.alpaca.markets/docs/real-time-stock-pricing-data for channels and keys,
docs.alpaca.markets/docs/real-time-crypto-pricing-data for pairs,
docs.alpaca.markets/docs/streaming-real-time-news for news,
docs.alpaca.markets/docs/streaming-market-data for the additive rules and the errors.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeGuard

CHANNELS: Final[Mapping[str, str]] = {
    "t": "trades",
    "q": "quotes",
    "b": "bars",
    "u": "updatedBars",
    "d": "dailyBars",
    "s": "statuses",
    "l": "lulds",
    "c": "corrections",
    "x": "cancelErrors",
    "i": "imbalances",
    "n": "news",
    "o": "orderbooks",
}
"""The channel that carries each message type (`T`)."""

WILDCARD: Final = "*"
_MIRRORS: Final = ("corrections", "cancelErrors")  # included with trades, not subscribed by name
_LIMITED: Final = ("trades", "quotes", "orderbooks")
BAR_CHANNELS: Final = ("bars", "updatedBars", "dailyBars")
"""They do not count against the plan's limit: 5,000 symbols were accepted on the basic plan."""

_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,12}(?:[.\-][A-Z0-9]{1,5}){0,2}", re.ASCII)
_PAIR: Final = re.compile(r"[A-Z0-9]{2,10}/[A-Z]{3,5}", re.ASCII)


class RefusedError(Exception):
    """A request that is answered with an error; `code` is Alpaca's."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Feed:
    """One stream endpoint: the channels in its acknowledgement, its required plan, its path.

    `symbols` is the spelling of its symbols. `symbol_limit` is the number that a session may
    subscribe to: the plan's, another one, or None for no limit. `channel_limits`, if there are any,
    take its place: the number of symbols of each channel that has a limit. A channel of `starless`
    cannot be subscribed to with `*`.
    """

    name: str
    path: str
    acknowledged: tuple[str, ...]
    unacknowledged: tuple[str, ...] = ()
    plans: frozenset[str] = frozenset({"basic", "plus"})
    symbols: re.Pattern[str] = _SYMBOL
    symbol_limit: int | Literal["plan"] | None = "plan"
    channel_limits: Mapping[str, int] | None = field(default=None, hash=False)
    starless: tuple[str, ...] = ()
    is_msgpack_only: bool = False

    @property
    def has_pairs(self) -> bool:
        """Whether its symbols are pairs."""
        return self.symbols is _PAIR

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that a client may name."""
        named = (*self.acknowledged, *self.unacknowledged)
        return tuple(channel for channel in named if channel not in _MIRRORS)


_STOCK_CHANNELS = tuple(
    name for name in CHANNELS.values() if name not in ("imbalances", "news", "orderbooks")
)
_CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", *BAR_CHANNELS)


def _crypto(name: str, location: str) -> Feed:
    path = f"/v1beta3/crypto/{location}"
    return Feed(name, path, _CRYPTO_CHANNELS, symbols=_PAIR, symbol_limit=None)


IEX: Final = Feed("iex", "/v2/iex", _STOCK_CHANNELS, ("imbalances",))
SIP: Final = Feed("sip", "/v2/sip", _STOCK_CHANNELS, ("imbalances",), frozenset({"plus"}))
TEST: Final = Feed("test", "/v2/test", ("trades", "quotes", "bars"))
NEWS: Final = Feed("news", "/v1beta1/news", ("news",))
ACCOUNT: Final = Feed("account", "/stream", ("trade_updates",))
CRYPTO: Final = _crypto("crypto", "us")
CRYPTO_FEEDS: Final = (CRYPTO, _crypto("us-1", "us-1"), _crypto("eu-1", "eu-1"))
"""Alpaca's own venue, and Kraken's in the US and in Europe: here they send the same."""


class Subscriptions:
    """The symbols of each channel, in the order of subscription."""

    def __init__(self, feed: Feed, symbol_limit: int | None) -> None:
        self._feed = feed
        self._symbol_limit = symbol_limit
        self._symbols: dict[str, dict[str, None]] = {name: {} for name in feed.channels}

    def add(self, request: Mapping[str, Iterable[str]], *, counts_bars: bool = False) -> None:
        """Add all symbols, or none if that would exceed the plan's limit.

        `counts_bars`: the symbols of the channels of bars count, too.

        Raises:
            RefusedError: 405, or 413 for a `*` that a channel does not allow; nothing has changed.
        """
        if any(WILDCARD in request.get(channel, ()) for channel in self._feed.starless):
            raise RefusedError(413)
        wanted = {name: dict(held) for name, held in self._symbols.items()}
        for channel, symbols in request.items():
            wanted[channel].update(dict.fromkeys(symbols))
        limited = (*_LIMITED, *BAR_CHANNELS) if counts_bars else _LIMITED
        self._check_limit(wanted, limited)
        self._symbols = wanted

    def remove(self, request: Mapping[str, Iterable[str]]) -> None:
        """Remove symbols; unknown ones are ignored."""
        for channel, symbols in request.items():
            for symbol in symbols:
                self._symbols[channel].pop(symbol, None)

    def wants(self, kind: object, *symbols: object) -> bool:
        """Return whether this session gets a message of this type (`T`) and these symbols."""
        channel = CHANNELS.get(kind) if isinstance(kind, str) else None
        held = self._symbols.get("trades" if channel in _MIRRORS else channel or "")
        if not held:
            return False
        # A hand-made message may have a list as its symbol.
        return WILDCARD in held or any(isinstance(one, str) and one in held for one in symbols)

    def symbols(self, channel: str) -> list[str]:
        """Return a channel's symbols; none if the feed lacks the channel.

        corrections and cancelErrors mirror trades.
        """
        return list(self._symbols.get("trades" if channel in _MIRRORS else channel, ()))

    def acknowledgement(self) -> dict[str, object]:
        """Return the `subscription` message with the entire current set."""
        shown: dict[str, object] = {"T": "subscription"}
        for channel in self._feed.acknowledged:
            shown[channel] = self.symbols(channel)
        # The documented reply has no such key, so it is omitted while it is empty.
        for channel in self._feed.unacknowledged:
            if self._symbols[channel]:
                shown[channel] = self.symbols(channel)
        return shown

    def _check_limit(
        self, wanted: Mapping[str, Mapping[str, None]], limited: Iterable[str]
    ) -> None:
        if self._feed.channel_limits is not None:
            for channel, limit in self._feed.channel_limits.items():
                _check_count(wanted[channel], limit)
        elif self._symbol_limit is not None:
            counted = {symbol for channel in limited for symbol in wanted.get(channel, ())}
            _check_count(counted, self._symbol_limit)


def _check_count(symbols: Collection[str], limit: int) -> None:
    if WILDCARD in symbols or len(symbols) > limit:
        raise RefusedError(405)


def is_symbol(value: object) -> TypeGuard[str]:
    """Return whether this is a stock symbol in Alpaca's spelling: `AAPL`, `BRK.B`."""
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def is_pair(value: object) -> TypeGuard[str]:
    """Return whether this is a pair in the spelling of market data: `BTC/USD`."""
    return isinstance(value, str) and _PAIR.fullmatch(value) is not None


def requested_channels(message: Mapping[object, object], feed: Feed) -> dict[str, list[str]]:
    """Read the channels of a subscribe or unsubscribe message.

    Raises:
        RefusedError: 400 for a wrong type or symbol, 410 for a channel that the feed lacks.
    """
    request: dict[str, list[str]] = {}
    for channel, symbols in message.items():
        if channel == "action":
            continue
        if not isinstance(channel, str):
            raise RefusedError(400)
        # Go clients send null for an empty list.
        listed = [] if symbols is None else symbols
        if not isinstance(listed, list):
            raise RefusedError(400)
        if not all(symbol == WILDCARD or _is_spelled(symbol, feed) for symbol in listed):
            raise RefusedError(400)
        request[channel] = listed
    if not request.keys() <= set(feed.channels):
        raise RefusedError(410)
    return request


def _is_spelled(symbol: object, feed: Feed) -> bool:
    return isinstance(symbol, str) and feed.symbols.fullmatch(symbol) is not None
