"""Bars for charts: those in Redis, older ones from the ingest, and the position they end at."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from gateway.bus.ingest_requests import IngestRequestError
from gateway.bus.malformed import MalformedData
from gateway.bus.merged_bars import (
    Bars,
    ChartBars,
    StoredBars,
    apply_newer,
    can_do_without,
    chart_bars,
    decode_start,
    merge,
    suffices,
)
from gateway.bus.older_bars import BarQuery, OlderBars
from shared import bar
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.whole_bars import WholeBars
from shared.event_id import NEVER, EventId
from shared.topics import kind_of, topic

READ_AT_ONCE = 2_000
"""Bars of one read: Redis serves no other client meanwhile, and then the streams wait for ours."""

TOPICS_AT_ONCE = 500

ATTEMPTS = 3


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
            lacking = {n: s for n, s in names.items() if not suffices(stored[n], query)}
            # Nobody has a bar of the future: an ingest need not be asked, nor be there.
            if query.start is not None and query.start > self._clock():
                lacking = {}
                stored = {n: each._replace(whole_from=query.start) for n, each in stored.items()}
            older = None
            if lacking and older_source is not None:
                try:
                    older = await older_source.read(query._replace(symbols=(*lacking.values(),)))
                except IngestRequestError as error:
                    if not can_do_without(error, [stored[name] for name in lacking], query):
                        raise
                    older_source = None  # another attempt would wait again
            merged = {
                symbol: merge(stored[name], older, symbol, query) for name, symbol in names.items()
            }
            # Some pages were read later than others. The events since bring all of them to the
            # same position, from which a stream continues.
            after, news = await self._news(list(names), before)
            is_last = attempt == ATTEMPTS - 1
            if news is not None:
                for name, symbol in names.items():
                    apply_newer(merged[symbol].bars, news[name], query)
            elif not is_last:
                continue
            # Redis has lost its data again and again. A stream from the earlier position announces
            # what it cannot repeat.
            return chart_bars(merged, query, before if news is None else after)
        raise AssertionError("unreachable")

    async def _published(self) -> EventId:
        with bus_errors():
            return _event_id(await self._client.get(self._keyspace.published))

    async def _stored(self, topics: Sequence[str], query: BarQuery) -> dict[str, StoredBars]:
        """Read the newest bars of topics within the range, page by page."""
        found: dict[str, StoredBars] = {}
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

    def _parsed(self, name: str, field: Any, count: Any, first: Any, found: Any) -> StoredBars:
        where = name.encode()
        if isinstance(found, Exception):
            self._malformed.note(where, found)
            return StoredBars({}, None, is_empty=True)
        bars: Bars = {}
        for member, score in found:
            with self._malformed.skipping(where):
                body = _body(member)
                decode_start(body)  # what is no JSON would spoil the whole answer
                bars[int(score)] = body
        whole_from = None
        if field is not None:
            with self._malformed.skipping(where):
                oldest = int(first[0][1]) if first else None
                whole_from = WholeBars.parse(field).reaches(oldest, count)
        return StoredBars(bars, whole_from, is_empty=not first)


def _body(member: bytes) -> bytes:
    head, newline, body = member.partition(b"\n")
    if not newline:
        raise ValueError(f"{head[:40]!r} is not a stored bar: no event id line")
    return body


def _event_id(stored: Any) -> EventId:
    # No ingest has published yet, or another program wrote it.
    if isinstance(stored, bytes):
        with suppress(ValueError):
            return EventId.parse(stored)
    return NEVER
