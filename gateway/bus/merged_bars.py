"""Redis' bars and the ingest's older ones, merged: what a chart gets. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from gateway.bus.ingest_requests import (
    IngestRequestError,
    NoIngestError,
    RequestFailedError,
    RequestTimeoutError,
)
from gateway.bus.older_bars import BarQuery, OlderBarsAnswer
from shared import rfc3339
from shared.event_id import EventId
from shared.request import Adjustment

STORED_ADJUSTMENT: Adjustment = "split"
"""That of the prices in Redis. Only the newest bars, since the last dividend, have every scale."""


class _Start(msgspec.Struct):
    timestamp: str


decode_start = msgspec.json.Decoder(_Start).decode

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


class StoredBars(NamedTuple):
    """What Redis has of a topic within a range; ``whole_from`` as in ``ChartBars``.

    ``is_empty``: it has no bar of any time.
    """

    bars: Bars
    whole_from: int | None
    is_empty: bool


class MergedBars(NamedTuple):
    """Bars of a symbol from both sources; ``complete_from`` as in ``ChartBars``."""

    bars: Bars
    complete_from: int | None


def suffices(stored: StoredBars, query: BarQuery) -> bool:
    """Return whether Redis has all that a query asks for."""
    if query.adjustment != STORED_ADJUSTMENT or stored.whole_from is None:
        return False
    if query.start is not None and stored.whole_from <= query.start:
        return True
    return sum(start >= stored.whole_from for start in stored.bars) >= query.limit


def can_do_without(
    error: IngestRequestError, lacking: Iterable[StoredBars], query: BarQuery
) -> bool:
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


def merge(
    stored: StoredBars, older: OlderBarsAnswer | None, symbol: str, query: BarQuery
) -> MergedBars:
    """Return Redis' bars with those of the ingest before them."""
    if older is None or symbol not in older.bars:
        return MergedBars(dict(stored.bars), stored.whole_from)
    bars = dict(older.bars[symbol])
    since = stored.whole_from
    # Bars that are not kept whole, or not of this adjustment, count only where they are newer.
    if since is None or query.adjustment != STORED_ADJUSTMENT:
        since = max(bars) + 1 if bars else 0
    bars = {start: body for start, body in bars.items() if start < since}
    bars |= {start: body for start, body in stored.bars.items() if start >= since}
    return MergedBars(bars, older.complete_from.get(symbol))


def apply_newer(bars: Bars, news: Iterable[bytes], query: BarQuery) -> None:
    """Put newer versions in the place of bars."""
    for body in news:
        with suppress(ValueError, msgspec.DecodeError):  # an entry of another version
            start = rfc3339.to_nanoseconds(decode_start(body).timestamp) // 1_000_000_000
            is_in = (query.start is None or query.start <= start) and (
                query.end is None or start <= query.end
            )
            if is_in:
                bars[start] = body


def chart_bars(merged: Mapping[str, MergedBars], query: BarQuery, position: EventId) -> ChartBars:
    """Return the newest merged bars of a query, which end at a position."""
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
