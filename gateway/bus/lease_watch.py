"""The lease as a gateway reads it: the truth about the epochs of this deployment."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from gateway.fanout.hub import Hub
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import NEVER, EventId

BEHIND_SECONDS = keys.LEASE_MILLISECONDS / 1000
"""A lease that is lower than the shown epoch for longer than a lease lives is no passing state: by
then its former holder would have claimed it again, under a higher number."""

MAX_EPOCH_DIGITS = 15
"""The digits of the longest number that a lease can have: claim.lua."""

_PASSING_SECONDS = 3 * BEHIND_SECONDS
"""Two readings further apart than this say nothing about the time between them."""


class LeaseWatch:
    """Reads the lease into the ``own_ids`` of the hub. ``monotonic`` gives seconds."""

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        hub: Hub,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.newest = NEVER
        """The newest id that was published when the lease was read."""
        self._client = client
        self._keyspace = keyspace
        self._own_ids = hub.own_ids
        self._hub = hub
        self._monotonic = monotonic
        self._epoch = 0
        self._behind_since: float | None = None
        self._last_behind = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether the lease was older than the newest shown event when it was read last."""
        return self._behind_since is not None

    @property
    def is_behind_for_long(self) -> bool:
        """Whether it has been older for longer than a lease lives."""
        since = self._behind_since
        return since is not None and self._last_behind - since > BEHIND_SECONDS

    async def read(self) -> None:
        """Read the lease.

        Raises:
            BusError: Redis is unreachable, or rejects the command.
        """
        names = self._keyspace
        with bus_errors():
            stored: Any = await self._client.mget(names.epoch, names.published)
        counter, published = stored
        epoch = _number(counter or b"")
        newest = NEVER
        with suppress(ValueError):  # another program wrote it
            newest = EventId.parse(published or b"")
        is_ours = self._own_ids.accepts_all if not epoch else newest.epoch <= epoch
        self.newest = newest if is_ours else NEVER
        # A Redis without a counter was emptied, and the ids that are known here are still ours; or
        # no ingest has led on it, and there is nothing to compare with.
        if not epoch:
            self._behind_since = None
            self._own_ids.accepts_all = not self._own_ids.epoch
        elif epoch >= max(self._own_ids.epoch, self._hub.newest.epoch):
            self._behind_since = None
            self._own_ids.on_lease(epoch, newest)
        else:
            self._note_behind(epoch)

    def follow(self) -> None:
        """Accept the lease as it was read last: everything shown has been dropped."""
        self._behind_since = None
        self._own_ids.start_over(self._epoch, self.newest)

    def _note_behind(self, epoch: int) -> None:
        now = self._monotonic()
        if self._behind_since is None or now - self._last_behind > _PASSING_SECONDS:
            self._behind_since = now
        self._last_behind = now
        self._epoch = epoch


def _number(counter: bytes) -> int:
    """Return the number of a lease; 0 if another program has written something else."""
    # int() would accept signs and blanks too, and refuses thousands of digits.
    return int(counter) if counter.isdigit() and len(counter) <= MAX_EPOCH_DIGITS else 0
