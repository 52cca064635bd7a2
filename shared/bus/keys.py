"""The keys and channels in Redis, and their lifetimes.

A topic is itself the key of its value and the name of its channel. ``last_key`` puts the topic in
braces, so that a cluster stores the last value in the topic's slot.
"""

from types import MappingProxyType

from shared import topics

LEASE = "ingest:lease"
"""The leading ingest process, as ``<ingest> <epoch>``; expires unless renewed. ``nobody 0``: a
standby has found Redis emptied, and leaves the lease to the former leader."""
LEASE_MILLISECONDS = 2_500

EPOCH = "ingest:epoch"
"""The fencing number of the newest lease; no expiry."""

RECORDED_SINCE = "ingest:recorded_since"
"""Since when (unix ns) this Redis has data: it was empty then, or had been emptied; no expiry."""

PUBLISHED = "ingest:published"
"""The id of the newest event that the publish script has accepted; no expiry. It identifies a
batch that is sent again because its response was lost."""

INGEST_STATUS = "ingest:status"
"""Key and channel: the leading ingest's health as JSON (``shared.ingest_status``)."""
INGEST_STATUS_MILLISECONDS = 2_500
"""Renewed every second; less than the 3 s within which the loss of an ingest must be noticed."""

INTEREST = "interest"
"""Hash of ``<gateway id> <topic>`` → ``<expiry> <viewers>`` (Redis' clock, unix ms); also the
channel on which a gateway announces that its claims have changed."""
INTEREST_MILLISECONDS = 15_000

LAST_SECONDS = 7 * 24 * 3600

HISTORY_SECONDS = 7 * 24 * 3600
HISTORY_LENGTHS = MappingProxyType(
    {
        topics.TRADE: 1000,
        topics.MINUTE_BAR: 500,
        topics.FIVE_MINUTE_BAR: 500,
        topics.DAY_BAR: 10,
        topics.NEWS: 200,
        topics.ORDERS: 1000,
    }
)
"""The number of events in the history of an ordered topic, by kind; Redis may keep some more."""

GATEWAY_SECONDS = 15

STREAMS = "{streams}"
"""Set of the keys in which gateways count their open streams (``streams_key``)."""
STREAMS_MILLISECONDS = 15_000

TICKET_SECONDS = 30


def last_key(topic: str) -> str:
    """Return the key of a topic's last value with its id, as one message."""
    return f"{{{topic}}}:last"


def history_key(topic: str) -> str:
    """Return the key of an ordered topic's newest events: a stream whose ids are event ids.

    Fields of an entry: ``data`` (the JSON), and ``event`` if the kind does not name the event.
    """
    return f"{{{topic}}}:history"


def gateway_key(gateway_id: str) -> str:
    """Return the key under which a gateway reports itself."""
    return f"gateway:{gateway_id}"


def streams_key(gateway_id: str) -> str:
    """Return the key of a gateway's open streams: a hash of ``<limit> <owner>`` → their number."""
    return f"{STREAMS}:{gateway_id}"


def ticket_key(digest: str) -> str:
    """Return the key of a stream ticket by its SHA-256, in hex."""
    return f"ticket:{digest}"
