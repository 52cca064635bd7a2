"""A request for a stream, checked: its topics, their intervals, and where it resumes."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from gateway.http.api_error import ApiError
from gateway.http.stream_fields import (
    MAX_INTERVAL_SECONDS,
    BarFields,
    BookFields,
    KindStream,
    NewsFields,
    PositionFields,
    StreamFields,
    SymbolFields,
    TopicFields,
)
from shared import bar
from shared.event_id import EventId
from shared.excerpt import excerpt
from shared.symbols import InvalidSymbolError
from shared.topics import (
    COMPANIONS,
    EVERYTHING,
    WITH_EVERYTHING,
    WITHOUT_SYMBOL,
    InvalidTopicError,
    has_interval,
    parse_topic,
    symbol_topic,
)

_WITH_SYMBOLS = SymbolFields | BarFields | BookFields | NewsFields | PositionFields


@dataclass(frozen=True)
class StreamRequest:
    """The topics of a stream.

    ``intervals``: its topics in the requested order, each with its interval in seconds; 0 = every
    update, as for all topics that take no interval. ``interval`` is the default. ``cursor``: the
    newest event that the client has, if it states one.
    """

    intervals: Mapping[str, float]
    interval: float
    cursor: EventId | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics in the requested order."""
        return tuple(self.intervals)

    @property
    def own_intervals(self) -> dict[str, float]:
        """The topics that have another interval than ``interval``, each with its own."""
        return {
            topic: seconds
            for topic, seconds in self.intervals.items()
            if seconds != self.interval and has_interval(topic)
        }


class StreamRequests:
    """Reads requests for streams.

    ``limit`` is the most topics of one stream; ``interval`` is the default, in seconds.
    """

    def __init__(self, *, limit: int, interval: float) -> None:
        self._limit = limit
        self._interval = interval

    def of_topics(self, asked: TopicFields, header: str | None) -> StreamRequest:
        """Return the stream of ``topics``; ``header`` is ``Last-Event-ID``.

        Raises:
            ApiError: 400 with the wrong value.
        """
        # ``topics=`` is an empty list to its author, though it reads as one empty topic.
        if not asked.topics or asked.topics == [""]:
            raise ApiError(
                400,
                code="no_topics",
                message="no topics were requested",
                hint="add topics=price:SPY,news:*",
            )
        intervals = self.intervals_of(asked.topics, asked.interval)
        cursor = cursor_of(header, asked.last_event_id)
        return StreamRequest(intervals, self._default(asked.interval), cursor)

    def intervals_of(self, texts: Sequence[str], interval: float | UnsetType) -> dict[str, float]:
        """Return topics, such as ``quote:SPY@1``, each with its interval in seconds.

        Raises:
            ApiError: 400 with the wrong value.
        """
        default = self._default(interval)
        return {
            # An ordered topic has no interval: each of its events is sent.
            topic: (default if seconds is None else seconds) if has_interval(topic) else 0.0
            for topic, seconds in self._own_intervals(texts).items()
        }

    def of_kinds(
        self, stream: KindStream, asked: StreamFields, header: str | None
    ) -> StreamRequest:
        """Return the stream of all kinds of ``stream``, for ``symbols`` if the kinds have symbols.

        Raises:
            ApiError: 400 with the wrong value.
        """
        # A stream of bars carries the requested timeframes only, one unless it names more.
        kinds: Sequence[str] = stream.kinds
        if isinstance(asked, BarFields):
            kinds = [kind for span, kind in bar.KINDS.items() if span in asked.timeframe]
        symbols = asked.symbols if isinstance(asked, _WITH_SYMBOLS) else UNSET
        default = self._default(asked.interval)
        topics = topics_of(kinds, symbols, limit=self._limit)
        intervals = {topic: default if has_interval(topic) else 0.0 for topic in topics}
        return StreamRequest(intervals, default, cursor_of(header, asked.last_event_id))

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
    """Return topics in their canonical spelling.

    Raises:
        ApiError: 400 with the wrong one.
    """
    try:
        return [parse_topic(text) for text in texts]
    except InvalidTopicError as error:
        raise ApiError(
            400, code="bad_topic", message=str(error), hint="price:SPY, news:*"
        ) from error


def topics_of(kinds: Iterable[str], symbols: Sequence[str] | UnsetType, *, limit: int) -> list[str]:
    """Return the topics of all kinds for all symbols, each once.

    Raises:
        ApiError: 400, there are no symbols, too many, or one is malformed.
    """
    kinds = tuple(kinds)
    # No symbols mean everything, but only for kinds that can be watched as a whole: all prices
    # would be thousands of topics.
    if symbols is UNSET and (WITH_EVERYTHING | WITHOUT_SYMBOL).issuperset(kinds):
        symbols = [EVERYTHING]
    if not symbols or list(symbols) == [""]:
        raise ApiError(
            400, code="no_symbols", message="no symbols were requested", hint="add symbols=SPY,IBM"
        )
    if len(symbols) > limit:
        raise ApiError(
            400,
            code="too_many_symbols",
            message=f"{len(symbols)} symbols were requested; the limit of one request is {limit}",
            hint="send two requests, or raise MAX_TOPICS_PER_CLIENT",
        )
    # Before any symbol is parsed: a body of a megabyte holds a hundred thousand of them.
    _check_count(len(symbols) * len({*kinds} - COMPANIONS), limit)
    try:
        found = [
            kind if kind in WITHOUT_SYMBOL else symbol_topic(kind, text)
            for kind in kinds
            for text in symbols
        ]
    except InvalidSymbolError as error:
        raise ApiError(
            400, code="bad_symbol", message=str(error), hint="symbols=SPY,BRK.B,BTC/USD"
        ) from error
    return list(dict.fromkeys(found))


def cursor_of(header: str | None, given: str) -> EventId | None:
    """Return a client's position, from ``Last-Event-ID`` or else from ``last_event_id``.

    Raises:
        ApiError: 400, ``last_event_id`` is malformed.
    """
    # A malformed header counts as none. A native EventSource repeats it with every attempt, so an
    # error would lock the client out permanently.
    if header:
        with suppress(ValueError):
            return EventId.parse(header)
    if not given:
        return None
    try:
        return EventId.parse(given)
    except ValueError as error:
        hint = "send the id: of the newest event unchanged, or omit it"
        raise ApiError(
            400, code="bad_value", message=f"last_event_id: {error}", hint=hint
        ) from error


def _topic_of(text: str) -> tuple[str, float | None]:
    """Return a topic and its own interval, if it has one: ``price:SPY@1``."""
    name, at, seconds = text.partition("@")
    try:
        topic = parse_topic(name)
    except InvalidTopicError as error:
        raise ApiError(
            400, code="bad_topic", message=str(error), hint="topics=price:SPY,quote:SPY@1"
        ) from error
    if not at:
        return topic, None
    # Not a number, NaN and infinity all fail the comparison below.
    interval = -1.0
    with suppress(ValueError):
        interval = float(seconds)
    if not 0 <= interval <= MAX_INTERVAL_SECONDS:
        hint = f"write seconds from 0 to {MAX_INTERVAL_SECONDS:g} after the @: price:SPY@1"
        raise ApiError(
            400, code="bad_value", message=f"{excerpt(text)} has no interval after the @", hint=hint
        )
    # @0 is what an ordered topic has anyway.
    if interval and not has_interval(topic):
        message = f"{excerpt(text)}: {topic} takes no interval; every event is sent"
        raise ApiError(400, code="bad_value", message=message, hint=f"write {topic}")
    return topic, _evened(interval)


def _evened(interval: float) -> float:
    """Round an interval: streams of equal intervals share their frames."""
    # The sum turns -0.0 into 0.0, which would be another lane.
    return round(interval, 2) + 0.0


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise ApiError(
            400,
            code="too_many_topics",
            message=f"{count} topics were requested; the limit of one stream is {limit}",
            hint="open a second stream, or raise MAX_TOPICS_PER_CLIENT",
        )
