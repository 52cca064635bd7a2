"""Where the histories of ordered topics begin, as the publish script notes it in Redis.

A hash has a field for each topic that has ever had an event, and some of the whole deployment. The
names of the latter begin with a dot, which no topic does.
"""

from typing import NamedTuple, Self

from shared.event_id import EventId

SINCE = ".since"
"""Every later ordered event that was published is in its history, unless it was trimmed, has
expired or was deleted there. Redis had no data before, or it is unknown whether it lost some."""

HISTORIES_LOST = "histories_lost"
"""The name of the message that the script publishes on the channel of the ingest's status if Redis
holds an older copy of its data. Its id is the new ``SINCE``."""


class Beginning(NamedTuple):
    """The beginning of a topic's history.

    The history has every event after ``since`` that was not trimmed, and began with ``first``.
    ``last`` is its newest event; it is noted before the history expires.
    """

    since: EventId
    first: EventId
    last: EventId | None = None

    @classmethod
    def parse(cls, field: bytes) -> Self:
        """Read a topic's field: two or three ids.

        Raises:
            ValueError: the field has another form.
        """
        ids = [EventId.parse(part) for part in field.split(b" ")]
        if len(ids) not in (2, 3):
            raise ValueError(f"{field[:80]!r} is not the beginning of a history: 2 or 3 event ids")
        return cls(*ids)

    def pack(self) -> str:
        """Return the topic's field."""
        return " ".join(str(part) for part in self if part is not None)
