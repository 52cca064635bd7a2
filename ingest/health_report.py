"""The status that ``ingest:status`` holds, composed from the facts of each part."""

import asyncio
import time
from collections.abc import Sequence

from ingest.alpaca.codes import CONNECTION_LIMIT
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from ingest.capture.recorder import Recorder
from ingest.market.alarms import Alarms, Facts, MalformedFacts, RecordingFacts, StreamFacts
from ingest.market_data import MarketData
from ingest.market_facts import MarketFacts, together
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.stream_holder import StreamHolder
from shared import rfc3339
from shared.alarm import Alarm
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from shared.ingest_status import BarCounts, IngestStatus, Session, StreamStatus


class HealthReport:
    """Composes the ingest's status.

    ``markets``: stocks first. ``streams``: the stocks' stream first, which is *the* connection to
    Alpaca in the status.
    ``eviction_policy``: Redis' ``maxmemory-policy``, None if it does not report one.
    """

    def __init__(
        self,
        ingest_id: str,
        feed: str,
        markets: Sequence[MarketData],
        streams: Sequence[StreamHolder],
        publisher: Publisher,
        outbox: Outbox,
        rejections: Rejections,
        malformed: MalformedStored,
        eviction_policy: str | None,
        recorder: Recorder | None = None,
    ) -> None:
        self._ingest_id = ingest_id
        self._feed = feed
        self._markets = markets
        self._tables = [each.bars.table for each in markets]
        self._streams = streams
        self._publisher = publisher
        self._outbox = outbox
        self._rejections = rejections
        self._eviction_policy = eviction_policy
        self._recorder = recorder
        self._malformed: list[MalformedData | MalformedStored] = [
            *(stream.malformed for stream in streams),
            markets[0].rest_malformed,
            malformed,
        ]
        self._alarms = Alarms({each.source: each.count for each in self._malformed})
        self._hours_known_at = time.monotonic()
        self._started = rfc3339.from_unix(time.time())

    def compose(self, event_id: EventId) -> IngestStatus:
        """Return the present status."""
        facts, main = together([each.facts() for each in self._markets]), self._streams[0].health
        # A stream that no client has needed yet is neither up nor down.
        streams = [stream for stream in self._streams if stream.in_use]
        return IngestStatus(
            event_id=str(event_id),
            ingest_id=self._ingest_id,
            alpaca_connected=main.live,
            state=main.state,
            reason=main.reason,
            since=rfc3339.from_unix(main.since),
            feed=self._feed,
            session=facts.session,
            next_open=facts.next_open,
            next_close=facts.next_close,
            lag_ms=None if facts.lag_ms is None else round(facts.lag_ms, 1),
            active_symbols=facts.subscribed,
            over_limit=facts.over_limit,
            rejected=facts.rejected,
            alarms=self._current_alarms(facts, streams),
            streams=[_stream_status(stream) for stream in streams],
            tape=facts.tape,
            bars=self._bar_counts(),
            malformed={each.source: each.count for each in self._malformed},
            publish_error=self._publisher.rejection,
            published=self._publisher.published,
            conflated=self._outbox.conflated,
            lost=self._outbox.lost,
            reconnects=main.reconnects,
            tasks=len(asyncio.all_tasks()),
            started=self._started,
        )

    def _current_alarms(self, facts: MarketFacts, streams: Sequence[StreamHolder]) -> list[Alarm]:
        return self._alarms.look(
            time.monotonic(),
            Facts(
                streams=[_stream_facts(stream, time.time()) for stream in streams],
                hours_unknown_seconds=self._hours_unknown_seconds(facts.session),
                lag_ms=facts.lag_ms,
                lag_alarm=facts.lag_alarm,
                is_clock_behind=facts.is_clock_behind,
                over_limit=len(facts.over_limit),
                limit=facts.limit,
                left_out=facts.left_out,
                rejected=facts.rejected,
                refused=facts.refused,
                withheld=facts.withheld,
                redis_rejects=self._redis_rejects(),
                redis_waiting_seconds=self._publisher.waiting_seconds,
                redis_conflated=self._outbox.conflated,
                events_lost=self._outbox.lost,
                events_rejected=self._publisher.rejected.count,
                histories_aside=self._publisher.rejected.aside,
                first_rejection=self._publisher.rejected.first,
                unknown_conditions=facts.tape.unknown_conditions,
                unknown_statuses=facts.tape.unknown_statuses,
                malformed={
                    each.source: MalformedFacts(each.count, each.first) for each in self._malformed
                },
                quarantined=facts.tape.quarantined,
                bars_compared=sum(each.counts.compared for each in self._tables),
                bars_differ=sum(each.counts.volume_differs for each in self._tables),
                rest_failing_seconds=facts.rest_failing_seconds,
                rest_error=facts.rest_error,
                eviction_policy=self._eviction_policy,
                recording=self._recording_facts(),
            ),
        )

    def _recording_facts(self) -> RecordingFacts | None:
        recorder = self._recorder
        if recorder is None or recorder.stopped is None:
            return None
        return RecordingFacts(recorder.path, recorder.stopped, recorder.lost)

    def _bar_counts(self) -> BarCounts:
        counts = [each.counts for each in self._tables]
        return BarCounts(
            charted=sum(len(each.symbols) for each in self._tables),
            compared=sum(each.compared for each in counts),
            volume_differs=sum(each.volume_differs for each in counts),
            close_differs=sum(each.close_differs for each in counts),
            missing_shares=sum(each.missing_shares for each in counts),
            missing_trades=sum(each.missing_trades for each in counts),
            unexpected=sum(each.unexpected for each in counts),
        )

    def _redis_rejects(self) -> str | None:
        reason, error = self._rejections.reason, self._publisher.rejection
        # Without a lease no batch is sent, so none is rejected.
        return reason if error is None or reason else f"Redis rejects the lease: {error}"

    def _hours_unknown_seconds(self, session: Session) -> float:
        now = time.monotonic()
        if session != "unknown":
            self._hours_known_at = now
        return now - self._hours_known_at


def _stream_status(stream: StreamHolder) -> StreamStatus:
    return StreamStatus(
        name=stream.name,
        state=stream.health.state,
        reason=stream.health.reason,
        since=rfc3339.from_unix(stream.health.since),
        reconnects=stream.health.reconnects,
    )


def _stream_facts(stream: StreamHolder, now: float) -> StreamFacts:
    health = stream.health
    return StreamFacts(
        stream.name,
        health.state,
        health.reason,
        slot_taken=health.code == CONNECTION_LIMIT,
        seconds=now - health.since,
    )
