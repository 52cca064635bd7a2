"""The upstream as this gateway sees it: what the ingest reports, and whether it reports at all."""

from collections.abc import Callable

from gateway.wire import events
from shared import ingest_status, rfc3339
from shared.bus import keys
from shared.event_id import NEVER, EventId
from shared.ingest_status import IngestStatus

SILENCE_SECONDS = keys.INGEST_STATUS_MILLISECONDS / 1000
"""The ingest reports every second; after this long without a word it counts as lost."""

DOWN = "down"


class FeedView:
    """Turns the ingest's reports, or their absence, into ``feed`` events when something changes.

    ``clock`` gives unix seconds, ``newest`` the highest id that the hub has seen. ``announce``
    is given each ``feed`` event, the first one at once. ``on_epoch`` is called when another epoch
    has started.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        newest: Callable[[], EventId],
        announce: Callable[[events.Feed], None],
        on_epoch: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._newest = newest
        self._announce = announce
        self._on_epoch = on_epoch
        self._report: IngestStatus | None = None
        self._report_id = NEVER
        self._heard = 0.0
        self.redis_connected = False
        self.event = self._compose(rfc3339.from_unix(clock()))
        # A stream that opens before the first report begins with this state.
        announce(self.event)

    @property
    def report(self) -> IngestStatus | None:
        """The ingest's last report while it is fresh."""
        return self._report if self._clock() - self._heard < SILENCE_SECONDS else None

    def on_report(self, payload: bytes) -> None:
        """Take a report of the ingest; one from before the newest is ignored.

        Raises:
            msgspec.DecodeError: the payload is no report.
            ValueError: its id is none.
        """
        report = ingest_status.decode(payload)
        event_id = EventId.parse(report.event_id)
        if event_id < self._report_id:
            return
        if event_id.epoch != self._report_id.epoch:
            self._on_epoch()
        self._report_id = event_id
        self._report = report
        self._heard = self._clock()
        self.refresh()

    def on_redis(self, *, connected: bool) -> None:
        """Note that the subscription to Redis stands, or is lost; why is for the log alone."""
        self.redis_connected = connected
        self.refresh()

    def refresh(self) -> None:
        """Announce a ``feed`` event if the state has changed since the last one."""
        fresh = self._compose(rfc3339.from_unix(self._clock()))
        if _state(fresh) == _state(self.event):
            fresh.since = self.event.since
            self.event = fresh
            return
        self.event = fresh
        self._announce(fresh)

    def _compose(self, now: str) -> events.Feed:
        report = self._report
        fresh = self.report
        event_id = str(max(self._newest(), self._report_id))  # never back, whoever makes the event
        if fresh is not None and self.redis_connected:
            return events.Feed(
                event_id=event_id,
                alpaca_connected=fresh.alpaca_connected,
                state=fresh.state,
                reason=fresh.reason,
                since=fresh.since,
                session=fresh.session,
                next_open=fresh.next_open,
                next_close=fresh.next_close,
                lag_ms=fresh.lag_ms,
            )
        return events.Feed(
            event_id=event_id,
            alpaca_connected=False,
            state=DOWN,
            reason=self._why_down(report),
            since=now,
            session="unknown",
            next_open=None,
            next_close=None,
            lag_ms=None,
        )

    def _why_down(self, report: IngestStatus | None) -> str:
        if not self.redis_connected:
            return "redis_unavailable: Redis does not answer this gateway"
        if report is None:
            return "ingest_lost: no ingest reports"
        if report.state == "failed":
            return f"ingest_lost: it stopped: {report.reason}"
        return "ingest_lost: the ingest has fallen silent"


def _state(feed: events.Feed) -> tuple[object, ...]:
    return (feed.alpaca_connected, feed.state, feed.reason, feed.session)
