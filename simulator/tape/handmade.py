"""Hand-written messages, from tests or curl, prepared for sending. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from simulator.protocol import rfc3339
from simulator.protocol.option_feeds import OPTION_FEEDS, is_option_symbol
from simulator.protocol.subscription import CHANNELS, CRYPTO_FEEDS, NEWS, is_pair
from simulator.protocol.wire import Message, times_of

STOCK_FEEDS: Final = ("iex", "sip")
PAIR_FEEDS: Final = tuple(feed.name for feed in CRYPTO_FEEDS)


class Handmade(NamedTuple):
    """A message and its destination."""

    feeds: tuple[str, ...]
    message: Message


def handmade(
    given: Mapping[str, object], feed: str | None, feeds: Mapping[str, object], now: int
) -> Handmade:
    """Return a message for a feed; None means the feeds of its kind of message and symbol.

    Its times may be RFC-3339 text, Unix nanoseconds, or absent or None (= `now`).

    Raises:
        ValueError: it cannot be published; the text names the value and the allowed ones.
    """
    kind = given.get("T")
    if not isinstance(kind, str) or kind not in CHANNELS:
        raise ValueError(f'"T" is {kind!r}, expected one of {" ".join(CHANNELS)}')
    if feed is not None and feed not in feeds:
        raise ValueError(f"feed is {feed!r}, expected one of {', '.join(feeds)}")
    chosen = _feeds(kind, given.get("S")) if feed is None else (feed,)
    return Handmade(chosen, with_times(given, now, strict=True))


def _feeds(kind: str, symbol: object) -> tuple[str, ...]:
    if kind == "n":
        return (NEWS.name,)
    if kind == "o" or is_pair(symbol):
        return PAIR_FEEDS
    return OPTION_FEEDS if is_option_symbol(symbol) else STOCK_FEEDS


def with_times(given: Mapping[str, object], now: int, *, strict: bool) -> Message:
    """Return a message with its times in nanoseconds; absent times are `now`.

    Raises:
        ValueError: a time is invalid; if not `strict`, it is left unchanged instead.
    """
    times = {name: _moment(name, given.get(name), now, strict=strict) for name in times_of(given)}
    return {"T": given["T"], **given, **times}


def read_messages(body: bytes) -> list[tuple[Mapping[str, object], str | None]]:
    """Read a JSON array of messages, each with an optional `feed`.

    Raises:
        ValueError: the body is not such an array.
    """
    try:
        messages = msgspec.json.decode(body, type=list[dict[str, object]])
    except msgspec.DecodeError as error:
        raise ValueError(f"the body is not a JSON array of messages: {error}") from error
    found: list[tuple[Mapping[str, object], str | None]] = []
    for message in messages:
        feed = message.pop("feed", None)
        if feed is not None and not isinstance(feed, str):
            raise ValueError(f"feed is {feed!r}, expected text")
        found.append((message, feed))
    return found


def _moment(name: str, value: object, now: int, *, strict: bool) -> object:
    if value is None:
        return now
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return rfc3339.parse(str(value))
    except ValueError as error:
        if not strict:
            return value
        raise ValueError(f'"{name}" is {value!r}, expected RFC-3339 text') from error
