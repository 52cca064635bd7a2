"""An ingest's reports for tests that feed a gateway by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

from redis.asyncio import Redis

from shared import ingest_status, message, rfc3339
from shared.bus import keys
from shared.cancellation import cancel
from shared.event_id import EventId
from shared.ingest_status import IngestStatus, TapeCounts
from tests.keyspace import KEYSPACE

REPORT_SECONDS = 1.0


def healthy(event_id: EventId, symbols: Sequence[str]) -> IngestStatus:
    """Return a report that everything is well."""
    now = rfc3339.from_unix(time.time())
    return IngestStatus(
        event_id=str(event_id),
        ingest_id="bench",
        alpaca_connected=True,
        state="live",
        reason=None,
        since=now,
        feed="sip",
        session="regular",
        next_open=None,
        next_close=None,
        lag_ms=1.0,
        active_symbols=list(symbols),
        over_limit=[],
        rejected=[],
        alarms=[],
        streams=[],
        tape=TapeCounts(
            frames=0,
            ticks=0,
            ineligible=0,
            late=0,
            quarantined=0,
            corrected=0,
            cancelled=0,
            malformed=0,
            unsubscribed=0,
            unknown_conditions={},
            unknown_messages={},
        ),
        published=0,
        conflated=0,
        lost=0,
        reconnects=0,
        started=now,
    )


@asynccontextmanager
async def reporting(redis: Redis, symbols: Sequence[str]) -> AsyncIterator[None]:
    """Report each second until the block is left, under an epoch older than any other."""

    async def report() -> None:
        for seq in count(1):
            event_id = EventId(1, seq)
            body = ingest_status.encode(healthy(event_id, symbols))
            await redis.set(KEYSPACE.ingest_status, body, px=keys.INGEST_STATUS_MILLISECONDS)
            await redis.publish(KEYSPACE.ingest_status_channel, message.pack(event_id, body))
            await asyncio.sleep(REPORT_SECONDS)

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        await cancel(task)
