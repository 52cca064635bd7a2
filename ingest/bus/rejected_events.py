"""The events that Redis rejected one by one, while it accepted others of the same batch."""

import time
from collections.abc import Callable, Sequence

import structlog

from ingest.bus.outbox import Loss, Outbox, Publication, is_ordered, loss_with
from shared.bus.errors import rejection
from shared.bus.rejections import explained
from shared.gap import GAP

log = structlog.get_logger()

ANNOUNCE_AGAIN_SECONDS = (5.0, 300.0)
"""The pause after a rejected ``gap``, doubled at each. A channel may be forbidden until an operator
allows it, and a gap may reach the history all the same: it must not push out the events there."""

LOG_SECONDS = 60.0
"""Rejections for the same reason are logged at most this often."""

_ASIDE = b"aside"


class RejectedEvents:
    """Counts the rejected events, logs them, and makes a ``gap`` in place of ordered ones.

    ``count``: the rejected events; ``aside``: the histories that were put aside because they held
    entries of another program. ``first`` is the first problem, for an alarm. ``monotonic`` gives
    seconds.
    """

    def __init__(self, outbox: Outbox, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self.aside = 0
        self.first: str | None = None
        self._outbox = outbox
        self._monotonic = monotonic
        self._losses: dict[str, Loss] = {}
        self._announce_at = 0.0
        self._pause = 0.0
        self._logged_at: dict[str, float] = {}

    def on_answer(self, batch: Sequence[Publication], answer: bytes) -> int:
        """Apply the script's answer to a batch; return how many of its events were rejected."""
        rejected: dict[int, Publication] = {}
        for line in answer.splitlines():
            place, what, error = line.split(b" ", 2)
            publication = batch[int(place)]
            cause = rejection(error.decode(errors="replace"))
            words = f"{publication.topic}: {cause}"
            self.first = self.first or words
            if what == _ASIDE:
                self.aside += 1
                if self._first_of_minute("aside", cause.code):
                    log.warning("history_put_aside", message=words)
            else:
                # The message and the value of one event can both be rejected.
                self.count += int(place) not in rejected
                rejected[int(place)] = publication
                if self._first_of_minute("rejected", cause.code):
                    message = f"{publication.topic}: {explained(cause)}"
                    log.warning("event_rejected", message=message, rejected=self.count)
        self._lose([each for _, each in sorted(rejected.items()) if is_ordered(each)])
        return len(rejected)

    @property
    def is_gap_due(self) -> bool:
        """Whether a loss is to be announced now."""
        return bool(self._losses) and self._monotonic() >= self._announce_at

    @property
    def gap_due_seconds(self) -> float | None:
        """In how many seconds a loss is to be announced; None if there is none."""
        return max(self._announce_at - self._monotonic(), 0.0) if self._losses else None

    def take_gaps(self) -> list[Publication]:
        """Remove and return a ``gap`` for each loss if it is time to announce them."""
        if not self.is_gap_due:
            return []
        if self._announce_at < self._monotonic() - ANNOUNCE_AGAIN_SECONDS[1]:
            self._pause = 0.0  # the last rejection is long over
        losses, self._losses = self._losses, {}
        return [loss.announcement("redis_rejected") for loss in losses.values()]

    def _lose(self, publications: Sequence[Publication]) -> None:
        for publication in publications:
            topic = publication.topic
            self._losses[topic] = loss_with(self._losses.get(topic), publication)
        # A rejected gap stands for events that are counted already.
        gaps = sum(publication.event == GAP for publication in publications)
        self._outbox.lost += len(publications) - gaps
        if gaps:
            shortest, longest = ANNOUNCE_AGAIN_SECONDS
            self._pause = min(max(2 * self._pause, shortest), longest)
            self._announce_at = self._monotonic() + self._pause

    def _first_of_minute(self, what: str, code: str) -> bool:
        """Note a problem; return whether its cause is the first one within ``LOG_SECONDS``.

        A forbidden channel rejects hundreds of events a second. One line for each cause and minute
        names a topic; the alarm has the number.
        """
        cause = f"{what} {code}"
        now = self._monotonic()
        is_due = now - self._logged_at.get(cause, -LOG_SECONDS) >= LOG_SECONDS
        if is_due:
            self._logged_at[cause] = now
        return is_due
