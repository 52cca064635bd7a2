"""The upstream as this gateway sees it: the ingest's reports, or their absence."""

from collections.abc import Callable

from gateway.wire import events
from shared import ingest_status, rfc3339
from shared.bus import keys
from shared.event_id import NEVER, EventId
from shared.ingest_status import IngestStatus

INGEST_SILENCE_SECONDS = keys.INGEST_STATUS_MILLISECONDS / 1000
"""The ingest reports every second; after a silence of this length it counts as lost."""

DOWN = "down"


class FeedView:
    """Turns the ingest's reports, or their absence, into ``feed`` events when something changes.

    ``clock`` gives unix seconds, ``newest`` the highest id that the hub has seen. ``announce``
    is given each ``feed`` event, the first one at once. ``redis_rejects`` gives a sentence about
    the work of this gateway that Redis rejects. ``on_epoch`` is called when another epoch has
    started.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        newest: Callable[[], EventId],
        announce: Callable[[events.Feed], None],
        redis_rejects: Callable[[], str | None] = lambda: None,
        on_epoch: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._newest = newest
        self._announce = announce
        self._redis_rejects = redis_rejects
        self._on_epoch = on_epoch
        self._report: IngestStatus | None = None
        self._report_id = NEVER
        self._last_report_at = 0.0
        self.redis_connected = False
        self.event = self._compose(rfc3339.from_unix(clock()))
        # A stream that opens before the first report begins with this state.
        announce(self.event)

    @property
    def report(self) -> IngestStatus | None:
        """The ingest's last report while it is fresh and further ones can arrive."""
        is_fresh = self._clock() - self._last_report_at < INGEST_SILENCE_SECONDS
        return self._report if is_fresh and self.redis_connected else None

    @property
    def publish_error(self) -> str | None:
        """A sentence with Redis' answer while it rejects the ingest's publications."""
        error = None if self.report is None else self.report.publish_error
        return None if error is None else f"Redis rejects the ingest's publications: {error}"

    def on_report(self, payload: bytes) -> None:
        """Apply a report of the ingest, unless it is older than the newest one.

        Raises:
            msgspec.DecodeError: the payload is not a report.
            ValueError: its id is malformed.
        """
        report = ingest_status.decode(payload)
        event_id = EventId.parse(report.event_id)
        if event_id < self._report_id:
            return
        if event_id.epoch != self._report_id.epoch:
            self._on_epoch()
        self._report_id = event_id
        self._report = report
        self._last_report_at = self._clock()
        self.refresh()

    def start_over(self) -> None:
        """Accept reports with lower ids than those before."""
        self._report, self._report_id = None, NEVER
        self.refresh()

    def on_redis(self, *, connected: bool) -> None:
        """Note whether the subscription to Redis exists; the log has the reason if it does not."""
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
        # Reports and values arrive on separate channels. The id must not go back, whichever of the
        # two is behind.
        event_id = str(max(self._newest(), self._report_id))
        if fresh is not None:
            # The ingest is well and its reports arrive, but none of its values do.
            error = self.publish_error
            return events.Feed(
                event_id=event_id,
                alpaca_connected=fresh.alpaca_connected and error is None,
                state=fresh.state if error is None else DOWN,
                reason=fresh.reason if error is None else f"redis_rejects: {error}",
                since=fresh.since if error is None else now,
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
        # A gateway that Redis rejects does reach it. If no ingest reports, the ingest is probably
        # rejected as well.
        if rejected := self._redis_rejects():
            return f"redis_rejects: {rejected}"
        if not self.redis_connected:
            return "redis_unavailable: this gateway cannot reach Redis"
        if report is None:
            return "ingest_lost: no ingest reports"
        if report.state == "failed":
            return f"ingest_lost: it stopped: {report.reason}"
        return "ingest_lost: the ingest has fallen silent"


def _state(feed: events.Feed) -> tuple[object, ...]:
    return (feed.alpaca_connected, feed.state, feed.reason, feed.session)
