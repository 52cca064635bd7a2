"""Messages whose id the lease has not given, set aside until the lease has been read again.

They are a new leader's then, or another deployment's.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from gateway.bus.foreign_data import ForeignData
from gateway.bus.lease_watch import LeaseWatch
from gateway.fanout.hub import Hub
from gateway.fanout.own_ids import UnverifiedIdError
from gateway.wire.feed_view import FeedView
from shared.bus.keys import Keyspace
from shared.event_id import EventId

log = structlog.get_logger()

VERIFY_SPACING_SECONDS = 0.2
"""Messages with unknown ids cause at most one reading of the lease in this time."""

MAX_UNVERIFIED = 10_000
"""Messages that wait for such a reading: more than a new leader publishes in a round trip."""


class StartAgainError(Exception):
    """The connection is well, but the data read on it have to be read again."""


class UnverifiedMessages:
    """Applies each message once its id is known to be the lease's, and counts the ``foreign`` ones.

    ``apply`` gets a message's channel and data; it raises UnverifiedIdError for an unknown id.
    """

    def __init__(
        self,
        hub: Hub,
        feed: FeedView,
        lease: LeaseWatch,
        keyspace: Keyspace,
        apply: Callable[[bytes, bytes], None],
    ) -> None:
        self._hub = hub
        self._feed = feed
        self._lease = lease
        self._keyspace = keyspace
        self._apply = apply
        self.foreign = ForeignData()
        self._waiting: list[tuple[bytes, bytes]] = []
        """Messages that are set aside, each with its channel."""
        self._wanted = asyncio.Event()
        self._dropped = False
        """Whether this connection has lost messages that may turn out to be ours."""

    def begin(self) -> None:
        """Forget what another connection has brought."""
        self._waiting.clear()
        self._dropped = False

    def apply(self, channel: bytes, data: bytes) -> None:
        """Apply a message, or set it aside."""
        # This gateway has started before the first ingest, which leads now.
        if self._hub.own_ids.accepts_all:
            self._wanted.set()
        try:
            self._apply(channel, data)
        except UnverifiedIdError:
            # A flood of another deployment's must not fill the memory.
            if len(self._waiting) < MAX_UNVERIFIED:
                self._waiting.append((channel, data))
            else:
                self._dropped = True
            self._wanted.set()

    async def run(self) -> None:
        """Read the lease whenever a message has an id that it had not given; until cancelled.

        So does any message that comes before a lease is known.
        """
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.read_lease()
            await asyncio.sleep(VERIFY_SPACING_SECONDS)

    async def read_lease(self) -> None:
        """Read the lease, and decide about the messages that are set aside.

        Raises:
            StartAgainError: this gateway shows or has dropped other events than Redis has.
        """
        own = self._hub.own_ids
        before = own.epoch
        await self._lease.read()
        if self._lease.is_behind_for_long:
            self._start_over()
        # Messages of a leader that is only known now may be among those that were dropped. Values
        # and histories have them.
        if self._dropped and own.epoch != before:
            raise StartAgainError
        waiting, self._waiting = self._waiting, []
        for channel, data in waiting:
            try:
                self._apply(channel, data)
            except UnverifiedIdError as error:
                self.reject(self._keyspace.topic_of(channel), error.event_id)

    def reject(self, topic: bytes, event_id: EventId) -> None:
        """Drop a message or a stored value, which is counted unless it may be ours."""
        self._dropped = True
        # If the lease has gone back, it is too early to judge.
        if not self._lease.is_behind:
            self.foreign.reject(topic, event_id)

    def _start_over(self) -> NoReturn:
        # Redis' clock was ahead when the shown epoch was given, and Redis has lost its data since.
        # Everything published from now on is older by its id, and would be dropped.
        shown = str(self._hub.newest)
        self._hub.start_over()
        self._feed.start_over()
        self._lease.follow()
        log.error(
            "gateway_starts_over",
            message="the lease in Redis is older than the events shown here: dropping them, and "
            "reading everything again",
            shown=shown,
            epoch=self._hub.own_ids.epoch,
        )
        raise StartAgainError
