"""The keys and channels in Redis, and their lifetimes.

A topic is itself the key of its value and the name of its channel. The key of the last value puts
the topic in braces, so that a cluster stores it in the topic's slot under every prefix.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shared import topics

LEASE_MILLISECONDS = 2_500

INGEST_STATUS_MILLISECONDS = 2_500
"""Renewed every second; less than the 3 s within which the loss of an ingest must be noticed."""

INTEREST_MILLISECONDS = 15_000

LAST_SECONDS = 7 * 24 * 3600

HISTORY_SECONDS = 7 * 24 * 3600
HISTORY_LENGTHS = MappingProxyType(
    {
        topics.TRADE: 1000,
        topics.MINUTE_BAR: 120,
        topics.FIVE_MINUTE_BAR: 60,
        topics.FIFTEEN_MINUTE_BAR: 40,
        topics.HOUR_BAR: 20,
        topics.DAY_BAR: 10,
        topics.IMBALANCE: 200,
        topics.NEWS: 200,
        topics.ORDERS: 1000,
    }
)
"""The number of events in the history of an ordered topic, by kind; Redis may keep some more. Those
of bars are for clients that resume; a chart reads the stored bars, which are more."""

BAR_HISTORY = 500
DAY_BAR_HISTORY = 400
"""About a year and a half of trading days."""


def bar_bounds(bar_history: int = BAR_HISTORY) -> Mapping[str, int]:
    """Return how many bars of each topic are stored, by kind; ``bar_history`` is for intraday."""
    return dict.fromkeys(topics.BARS, bar_history) | {topics.DAY_BAR: DAY_BAR_HISTORY}


GATEWAY_SECONDS = 15

STREAMS_MILLISECONDS = 15_000

TICKET_SECONDS = 30

REQUESTS_AT_MOST = 200
"""The requests that wait for the ingest, over all gateways: more would not be answered in time."""

REQUEST_MILLISECONDS = 5_000
"""How long a gateway waits for a reply."""


class Keyspace:
    """The names of one deployment's keys and channels.

    A ``namespace`` is put before every key and every channel. Redis separates the keys of its
    databases but not their channels: a message that one deployment publishes in database 1 reaches
    the subscribers in database 0. So the number of any other ``database`` than 0 is put before the
    channels, too.
    """

    def __init__(self, namespace: str | None = None, database: int = 0) -> None:
        self.key_prefix = f"{namespace}:" if namespace else ""
        self.channel_prefix = f"{self.key_prefix}db{database}:" if database else self.key_prefix
        self._channel_start = len(self.channel_prefix)
        key, channel = self.key_prefix, self.channel_prefix

        self.lease = f"{key}ingest:lease"
        """The leading ingest process, as ``<ingest> <epoch> <owner>`` (``shared.bus.owner``);
        expires unless renewed. ``nobody 0``: a standby has found Redis emptied, and leaves the
        lease to the former leader. ``unreachable`` at the end: it does not reach Alpaca."""

        self.standby = f"{key}ingest:standby"
        """Present while an ingest stands by; ``reaches`` if it reaches Alpaca."""

        self.owner = f"{key}ingest:owner"
        """The account whose data this Redis has (``shared.bus.owner``); no expiry."""

        self.epoch = f"{key}ingest:epoch"
        """The fencing number of the newest lease; no expiry."""

        self.recorded_since = f"{key}ingest:recorded_since"
        """Since when (unix ns) this Redis has data: it was empty then, or had been emptied; no
        expiry."""

        self.published = f"{key}ingest:published"
        """The id of the newest event that the publish script has accepted; no expiry. It identifies
        a batch that is sent again because its response was lost."""

        self.histories = f"{key}ingest:histories"
        """Hash of where the histories begin (``shared.bus.beginning``); no expiry."""

        self.whole_bars = f"{key}ingest:bars"
        """Hash of the topics whose stored bars are kept whole (``whole_bars``); no expiry."""

        self.ingest_status = f"{key}ingest:status"
        """The leading ingest's health as JSON (``shared.ingest_status``)."""
        self.ingest_status_channel = f"{channel}ingest:status"

        self.interest = f"{key}interest"
        """Hash of ``<gateway id> <topic>`` → ``<expiry> <viewers>`` (Redis' clock, unix ms)."""
        self.interest_channel = f"{channel}interest"
        """The channel on which a gateway announces that its claims have changed."""

        self.streams = f"{key}{{streams}}"
        """Set of the keys in which gateways count their open streams (``streams_of``)."""

    @property
    def shown(self) -> str:
        """``<epoch>-0`` of the oldest lease that a gateway knows; noted after a loss of data."""
        return self.last("shown")

    @property
    def assets(self) -> str:
        """Hash of Alpaca's assets (``shared.asset``): ``as_of`` (RFC 3339) and ``list``, JSON."""
        return f"{self.key_prefix}ingest:assets"

    @property
    def requests(self) -> str:
        """Hash of the requests that wait for the ingest: digest → ``<deadline> <JSON>``.

        Digest and JSON are ``shared.request``'s, the deadline is Redis' clock in unix ms.
        """
        return f"{self.key_prefix}requests"

    @property
    def requests_channel(self) -> str:
        """The channel on which a gateway announces that it has added a request."""
        return f"{self.channel_prefix}requests"

    def value(self, topic: str) -> str:
        """Return the key of a merge topic's value, which exists for a short time after a trade."""
        return f"{self.key_prefix}{topic}"

    def last(self, topic: str) -> str:
        """Return the key of a topic's last value with its id, as one message."""
        return f"{self.key_prefix}{{{topic}}}:last"

    def history(self, topic: str) -> str:
        """Return the key of an ordered topic's newest events: a stream whose ids are event ids.

        Fields of an entry: ``data`` (the JSON), and ``event`` if the kind does not name the event.
        """
        return f"{self.key_prefix}{{{topic}}}:history"

    def bars(self, topic: str) -> str:
        """Return the key of a topic's bars: a sorted set, scored by their starts in unix s.

        A member is the newest version of a bar as a message; the last ones may be running.
        """
        return f"{self.key_prefix}{{{topic}}}:bars"

    def channel(self, topic: str) -> str:
        """Return the channel on which a topic's events are published."""
        return f"{self.channel_prefix}{topic}"

    def topic_of(self, channel: bytes) -> bytes:
        """Return the topic whose events are published on a channel of this keyspace."""
        return channel[self._channel_start :]  # the same object if there is no prefix

    def gateway(self, gateway_id: str) -> str:
        """Return the key under which a gateway reports itself."""
        return f"{self.key_prefix}gateway:{gateway_id}"

    def written_back(self, gateway_id: str) -> str:
        """Return the key of a gateway's mark: set before it writes last values back to Redis."""
        return f"{self.gateway(gateway_id)}:written_back"

    def inbox(self, gateway_id: str) -> str:
        """Return the channel on which a gateway listens for requests of other gateways."""
        return f"{self.channel_prefix}gateway:{gateway_id}"

    def streams_of(self, gateway_id: str) -> str:
        """Return the key of a gateway's open streams: a hash ``<limit> <owner>`` → their number."""
        return f"{self.streams}:{gateway_id}"

    def reply(self, digest: str) -> str:
        """Return the key of the reply to a request, which exists for as long as it is valid."""
        return f"{self.key_prefix}request:{digest}:reply"

    def askers(self, digest: str) -> str:
        """Return the key of the set of gateways that wait for the reply to a request."""
        return f"{self.key_prefix}request:{digest}:askers"

    def ticket(self, digest: str) -> str:
        """Return the key of a stream ticket by its SHA-256, in hex."""
        return f"{self.key_prefix}ticket:{digest}"
