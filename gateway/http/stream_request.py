"""What a stream is asked for, checked: topics, how often each, and where to go on."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from gateway.http.api_error import ApiError
from gateway.http.stream_fields import (
    BAR_KINDS,
    MAX_INTERVAL_SECONDS,
    AnySymbolFields,
    BarFields,
    KindStream,
    StreamFields,
    SymbolFields,
    TopicFields,
)
from shared.event_id import EventId
from shared.topics import (
    COMPANIONS,
    EVERYTHING,
    WITH_EVERYTHING,
    WITHOUT_SYMBOL,
    InvalidSymbolError,
    InvalidTopicError,
    is_ordered,
    parse_topic,
    symbol_topic,
)


@dataclass(frozen=True)
class StreamRequest:
    """What a stream is to bring.

    ``intervals``: its topics in the order asked for, each with its interval in seconds; 0 = every
    update, as ordered topics always have it. ``interval`` is that of a topic that names none.
    ``cursor``: the newest event that the client has, where it tells.
    """

    intervals: Mapping[str, float]
    interval: float
    cursor: EventId | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics in the order asked for."""
        return tuple(self.intervals)

    @property
    def own_intervals(self) -> dict[str, float]:
        """The intervals of those merge topics that have another one than ``interval``."""
        return {
            topic: seconds
            for topic, seconds in self.intervals.items()
            if seconds != self.interval and not is_ordered(topic)
        }


class StreamRequests:
    """Reads what streams are asked for.

    ``limit`` is the most topics of one; ``interval`` holds for who names none, in seconds.
    """

    def __init__(self, *, limit: int, interval: float) -> None:
        self._limit = limit
        self._interval = interval

    def of_topics(self, asked: TopicFields, header: str | None) -> StreamRequest:
        """Return the stream of ``topics``; ``header`` is ``Last-Event-ID``.

        Raises:
            ApiError: 400 with the value that is wrong.
        """
        if not asked.topics or asked.topics == [""]:
            raise ApiError(
                400, "no_topics", "no topics were asked for", "add topics=price:SPY,news:*"
            )
        intervals = self.intervals_of(asked.topics, asked.interval)
        cursor = cursor_of(header, asked.last_event_id)
        return StreamRequest(intervals, self._default(asked.interval), cursor)

    def intervals_of(self, texts: Sequence[str], interval: float | UnsetType) -> dict[str, float]:
        """Return topics, such as ``quote:SPY@1``, each with its interval in seconds.

        Raises:
            ApiError: 400 with the value that is wrong.
        """
        default = self._default(interval)
        return {
            # An ordered topic has no interval: each of its events is sent.
            topic: 0.0 if is_ordered(topic) else default if seconds is None else seconds
            for topic, seconds in self._own_intervals(texts).items()
        }

    def of_kinds(
        self, stream: KindStream, asked: StreamFields, header: str | None
    ) -> StreamRequest:
        """Return the stream of all kinds of ``stream``, for ``symbols`` where they have some.

        Raises:
            ApiError: 400 with the value that is wrong.
        """
        kinds: Sequence[str] = stream.kinds
        if isinstance(asked, BarFields):
            kinds = [kind for span, kind in BAR_KINDS.items() if span in asked.timeframe]
        symbols = asked.symbols if isinstance(asked, SymbolFields | AnySymbolFields) else UNSET
        default = self._default(asked.interval)
        cursor = cursor_of(header, asked.last_event_id)
        topics = topics_of(kinds, symbols, limit=self._limit)
        intervals = {topic: 0.0 if is_ordered(topic) else default for topic in topics}
        return StreamRequest(intervals, default, cursor)

    def _own_intervals(self, texts: Sequence[str]) -> dict[str, float | None]:
        _check_count(len(texts), self._limit)
        intervals: dict[str, float | None] = {}
        for text in texts:
            topic, seconds = _topic_of(text)
            intervals[topic] = intervals.get(topic) if seconds is None else seconds
        return intervals

    def _default(self, interval: float | UnsetType) -> float:
        return self._interval if interval is UNSET else _evened(interval)


def plain_topics(texts: Iterable[str]) -> list[str]:
    """Return topics as they are spelled.

    Raises:
        ApiError: 400 with the one that is wrong.
    """
    try:
        return [parse_topic(text) for text in texts]
    except InvalidTopicError as error:
        raise ApiError(400, "bad_topic", str(error), "price:SPY, news:*") from error


def topics_of(kinds: Iterable[str], symbols: Sequence[str] | UnsetType, *, limit: int) -> list[str]:
    """Return the topics of all kinds for all symbols, without doubles.

    Raises:
        ApiError: 400, there are no symbols, too many, or one is malformed.
    """
    kinds = tuple(kinds)
    if symbols is UNSET and (WITH_EVERYTHING | WITHOUT_SYMBOL).issuperset(kinds):
        symbols = [EVERYTHING]
    if not symbols or list(symbols) == [""]:
        raise ApiError(400, "no_symbols", "no symbols were asked for", "add symbols=SPY,IBM")
    if len(symbols) > limit:
        raise ApiError(
            400,
            "too_many_symbols",
            f"{len(symbols)} symbols were asked for; one request takes {limit}",
            "make it two, or raise MAX_TOPICS_PER_CLIENT",
        )
    _check_count(len(symbols) * len({*kinds} - COMPANIONS), limit)
    try:
        found = [
            kind if kind in WITHOUT_SYMBOL else symbol_topic(kind, text)
            for kind in kinds
            for text in symbols
        ]
    except InvalidSymbolError as error:
        raise ApiError(400, "bad_symbol", str(error), "symbols=SPY,IBM,BRK.B") from error
    return list(dict.fromkeys(found))


def cursor_of(header: str | None, given: str) -> EventId | None:
    """Return how far a client has got, by its ``Last-Event-ID`` or else by ``last_event_id``.

    A malformed header counts as none: a native EventSource sends it again and again, and would
    never get past a refusal.

    Raises:
        ApiError: 400, ``last_event_id`` is malformed.
    """
    if header:
        with suppress(ValueError):
            return EventId.parse(header)
    if not given:
        return None
    try:
        return EventId.parse(given)
    except ValueError as error:
        hint = "send the id: of the newest event as it came, or leave it out"
        raise ApiError(400, "bad_value", f"last_event_id: {error}", hint) from error


def _topic_of(text: str) -> tuple[str, float | None]:
    """Return a topic, and its own interval where it has one: ``price:SPY@1``."""
    name, at, seconds = text.partition("@")
    try:
        topic = parse_topic(name)
    except InvalidTopicError as error:
        raise ApiError(400, "bad_topic", str(error), "topics=price:SPY,quote:SPY@1") from error
    if not at:
        return topic, None
    interval = -1.0
    with suppress(ValueError):
        interval = float(seconds)
    if not 0 <= interval <= MAX_INTERVAL_SECONDS:
        hint = f"write seconds from 0 to {MAX_INTERVAL_SECONDS:g} after the @: price:SPY@1"
        raise ApiError(400, "bad_value", f"{text!r} has no interval after the @", hint)
    if interval and is_ordered(topic):
        message = f"{text!r} cannot have an interval: every event of it is sent"
        raise ApiError(400, "bad_value", message, f"write {topic}")
    return topic, _evened(interval)


def _evened(interval: float) -> float:
    """Make nearly equal intervals equal: streams of equal interval share their frames."""
    return round(interval, 2) + 0.0  # no -0.0


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise ApiError(
            400,
            "too_many_topics",
            f"{count} topics were asked for; one stream takes {limit}",
            "open a second stream, or raise MAX_TOPICS_PER_CLIENT",
        )
