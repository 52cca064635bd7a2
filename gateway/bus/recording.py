"""Whether Redis has every event of a topic after a position: the decision between events and a gap.

Pure. The publish script notes the facts (``shared.bus.beginning``). They are read in one step with
the histories, so that both are of the same moment.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.fanout.ordered_channel import before
from shared.bus.beginning import Beginning
from shared.event_id import EventId


class Recording(NamedTuple):
    """The facts of one moment.

    ``since``: every ordered event published after it was put into its history; None if this is not
    known. ``published``: the newest event that Redis has. ``beginnings``: of the topics that have
    ever had an event.
    """

    since: EventId | None
    published: EventId
    beginnings: Mapping[str, Beginning]

    def known_to(self, received: EventId) -> "Recording":
        """Return the facts for a gateway that has received events up to a position.

        A Redis that does not know them has an older copy of its data. Until the ingest has noticed,
        it is unknown from where on that copy is complete.
        """
        return self._replace(since=None) if self.published < received else self

    def complete_after(
        self, topic: str, oldest: EventId | None, length: int, limit: int
    ) -> EventId | None:
        """Return the position after which Redis has every event of a topic; None if unknown.

        ``oldest`` is the oldest entry of its history, ``length`` the number of entries. Redis
        begins to trim the history when it has ``limit`` entries.
        """
        if self.since is None:
            return None
        beginning = self.beginnings.get(topic)
        if beginning is None:
            # There has been no event since, or the note is lost, and then a full history may have
            # been trimmed.
            trimmed = oldest is not None and length >= limit
            return max(self.since, before(oldest)) if trimmed and oldest else self.since
        after = max(self.since, beginning.since)
        if oldest is None:
            # An expired history has its newest event noted. If none is, somebody deleted it, or
            # Redis evicted it: no event that was published so far is certain.
            return self.published if beginning.last is None else max(after, beginning.last)
        # Redis has trimmed the history: it began with an older event.
        return max(after, before(oldest)) if oldest > beginning.first else after
