"""Bars for charts: those in Redis, older ones from the ingest, and the position they end at."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from gateway.bus.ingest_requests import (
    IngestRequestError,
    NoIngestError,
    RequestFailedError,
    RequestTimeoutError,
)
from gateway.bus.malformed import MalformedData
from gateway.bus.older_bars import BarQuery, OlderBars, OlderBarsAnswer
from shared import bar, rfc3339
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.whole_bars import WholeBars
from shared.event_id import NEVER, EventId
from shared.request import Adjustment
from shared.topics import kind_of, topic

READ_AT_ONCE = 2_000
"""Bars of one read: Redis serves no other client meanwhile, and then the streams wait for ours."""

TOPICS_AT_ONCE = 500

STORED_ADJUSTMENT: Adjustment = "split"
"""That of the prices in Redis. Only the newest bars, since the last dividend, have every scale."""

ATTEMPTS = 3


class _Start(msgspec.Struct):
    timestamp: str


_decode = msgspec.json.Decoder(_Start).decode

Bars = dict[int, bytes]
"""The JSON of bars by their starts in unix s, in no order."""


class ChartBars(NamedTuple):
    """The JSON of each symbol's bars, oldest first.

    ``complete_from``: from when on (unix s) they are all bars of the range; None if unknown.
    ``last_event_id``: they hold each event up to it, and none after it.
    """

    bars: Mapping[str, Sequence[bytes]]
    complete_from: Mapping[str, int | None]
    last_event_id: EventId


class BarHistory:
    """Reads bars. ``older`` provides those that Redis does not have; None if nothing does.

    ``clock`` gives unix seconds.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        malformed: MalformedData,
        older: OlderBars | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed
        self._older = older
        self._clock = clock

    async def read(self, query: BarQuery) -> ChartBars:
        """Return the bars of a query, each in its newest version.

        If the ingest is unavailable, these are the bars that Redis has.

        Raises:
            IngestRequestError: only the ingest has what the query asks for, and has not replied.
            BusError: Redis is unreachable.
        """
        older_source = self._older
        names = {topic(bar.KINDS[query.timeframe], symbol): symbol for symbol in query.symbols}
        for attempt in range(ATTEMPTS):
            before = await self._published()
            stored = await self._stored(list(names), query)
            lacking = {n: s for n, s in names.items() if not _suffices(stored[n], query)}
            # Nobody has a bar of the future: an ingest need not be asked, nor be there.
            if query.start is not None and query.start > self._clock():
                lacking = {}
                stored = {n: each._replace(whole_from=query.start) for n, each in stored.items()}
            older = None
            if lacking and older_source is not None:
                try:
                    older = await older_source.read(query._replace(symbols=(*lacking.values(),)))
                except IngestRequestError as error:
                    if not _can_do_without(error, [stored[name] for name in lacking], query):
                        raise
                    older_source = None  # another attempt would wait again
            merged = {
                symbol: _merged(stored[name], older, symbol, query)
                for name, symbol in names.items()
            }
            # Some pages were read later than others. The events since bring all of them to the
            # same position, from which a stream continues.
            after, news = await self._news(list(names), before)
            is_last = attempt == ATTEMPTS - 1
            if news is not None:
                for name, symbol in names.items():
                    _apply(merged[symbol].bars, news[name], query)
            elif not is_last:
                continue
            # Redis has lost its data again and again. A stream from the earlier position announces
            # what it cannot repeat.
            return _charts(merged, query, before if news is None else after)
        raise AssertionError("unreachable")

    async def _published(self) -> EventId:
        with bus_errors():
            return _event_id(await self._client.get(self._keyspace.published))

    async def _stored(self, topics: Sequence[str], query: BarQuery) -> dict[str, "_Stored"]:
        """Read the newest bars of topics within the range, page by page."""
        found: dict[str, _Stored] = {}
        size = min(max(READ_AT_ONCE // query.limit, 1), TOPICS_AT_ONCE)
        for begin in range(0, len(topics), size):
            some = topics[begin : begin + size]
            batch: Any = self._client.pipeline(transaction=False)
            batch.hmget(self._keyspace.whole_bars, some)
            for name in some:
                key = self._keyspace.bars(name)
                batch.zcard(key)
                batch.zrange(key, 0, 0, withscores=True)
                batch.zrevrangebyscore(
                    key,
                    "+inf" if query.end is None else query.end,
                    "-inf" if query.start is None else query.start,
                    start=0,
                    num=query.limit,
                    withscores=True,
                )
            with bus_errors():
                # A key of another type must not keep the client from all the others.
                fields, *parts = await batch.execute(raise_on_error=False)
            whole = fields if isinstance(fields, list) else [None] * len(some)
            for index, name in enumerate(some):
                found[name] = self._parsed(name, whole[index], *parts[3 * index : 3 * index + 3])
        return found

    async def _news(
        self, topics: Sequence[str], before: EventId
    ) -> tuple[EventId, dict[str, list[bytes]] | None]:
        """Return the newest position, and the bars of each topic that were published until then.

        None instead of these if some of the events are not bars, or Redis has lost its data: all
        has to be read again.
        """
        batch: Any = self._client.pipeline(transaction=True)
        batch.get(self._keyspace.published)
        for name in topics:
            batch.xrange(self._keyspace.history(name), f"({before}")
        with bus_errors():
            published, *histories = await batch.execute(raise_on_error=False)
        after = _event_id(published)
        if after < before:
            return after, None
        found: dict[str, list[bytes]] = {}
        for name, entries in zip(topics, histories, strict=True):
            bars = found[name] = []
            if isinstance(entries, Exception):  # a key of another type: its events are not ours
                self._malformed.note(name.encode(), entries)
                continue
            # Redis may have trimmed some, or a reload says that all bars are others now.
            if len(entries) >= keys.HISTORY_LENGTHS[kind_of(name)] or any(
                b"event" in fields for _, fields in entries
            ):
                return after, None
            bars += [fields[b"data"] for _, fields in entries if b"data" in fields]
        return after, found

    def _parsed(self, name: str, field: Any, count: Any, first: Any, found: Any) -> "_Stored":
        where = name.encode()
        if isinstance(found, Exception):
            self._malformed.note(where, found)
            return _Stored({}, None, is_empty=True)
        bars: Bars = {}
        for member, score in found:
            with self._malformed.skipping(where):
                body = _body(member)
                _decode(body)  # what is no JSON would spoil the whole answer
                bars[int(score)] = body
        whole_from = None
        if field is not None:
            with self._malformed.skipping(where):
                oldest = int(first[0][1]) if first else None
                whole_from = WholeBars.parse(field).reaches(oldest, count)
        return _Stored(bars, whole_from, is_empty=not first)


class _Stored(NamedTuple):
    """What Redis has of a topic within a range; ``whole_from`` as in ``ChartBars``.

    ``is_empty``: it has no bar of any time.
    """

    bars: Bars
    whole_from: int | None
    is_empty: bool


class _Merged(NamedTuple):
    bars: Bars
    complete_from: int | None


def _body(member: bytes) -> bytes:
    head, newline, body = member.partition(b"\n")
    if not newline:
        raise ValueError(f"{head[:40]!r} is not a stored bar: no event id line")
    return body


def _suffices(stored: _Stored, query: BarQuery) -> bool:
    """Return whether Redis has all that a query asks for."""
    if query.adjustment != STORED_ADJUSTMENT or stored.whole_from is None:
        return False
    if query.start is not None and stored.whole_from <= query.start:
        return True
    return sum(start >= stored.whole_from for start in stored.bars) >= query.limit


def _can_do_without(error: IngestRequestError, lacking: Iterable[_Stored], query: BarQuery) -> bool:
    """Return whether Redis' bars answer a query that the ingest has not answered."""
    match error:
        case NoIngestError() | RequestTimeoutError() | RequestFailedError(code="upstream_failed"):
            pass
        case _:  # the request itself is at fault, or there are too many
            return False
    if query.adjustment != STORED_ADJUSTMENT:
        return False
    # No bars would look like a range in which nothing was traded.
    is_range = query.start is not None or query.end is not None
    return not is_range or not any(stored.is_empty for stored in lacking)


def _merged(
    stored: _Stored, older: OlderBarsAnswer | None, symbol: str, query: BarQuery
) -> _Merged:
    """Return Redis' bars with those of the ingest before them."""
    if older is None or symbol not in older.bars:
        return _Merged(dict(stored.bars), stored.whole_from)
    bars = dict(older.bars[symbol])
    since = stored.whole_from
    # Bars that are not kept whole, or not of this adjustment, count only where they are newer.
    if since is None or query.adjustment != STORED_ADJUSTMENT:
        since = max(bars) + 1 if bars else 0
    bars = {start: body for start, body in bars.items() if start < since}
    bars |= {start: body for start, body in stored.bars.items() if start >= since}
    return _Merged(bars, older.complete_from.get(symbol))


def _apply(bars: Bars, news: Iterable[bytes], query: BarQuery) -> None:
    """Put newer versions in the place of bars."""
    for body in news:
        with suppress(ValueError, msgspec.DecodeError):  # an entry of another version
            start = rfc3339.to_nanoseconds(_decode(body).timestamp) // 1_000_000_000
            is_in = (query.start is None or query.start <= start) and (
                query.end is None or start <= query.end
            )
            if is_in:
                bars[start] = body


def _charts(merged: Mapping[str, _Merged], query: BarQuery, position: EventId) -> ChartBars:
    bars: dict[str, Sequence[bytes]] = {}
    complete_from: dict[str, int | None] = {}
    for symbol, (found, since) in merged.items():
        starts = sorted(found)[-query.limit :]
        bars[symbol] = [found[start] for start in starts]
        # Older ones may have been left out.
        bounds = [query.start, starts[0] if len(starts) == query.limit else None]
        complete_from[symbol] = (
            None if since is None else max([since, *(b for b in bounds if b is not None)])
        )
    return ChartBars(bars, complete_from, position)


def _event_id(stored: Any) -> EventId:
    # No ingest has published yet, or another program wrote it.
    if isinstance(stored, bytes):
        with suppress(ValueError):
            return EventId.parse(stored)
    return NEVER
