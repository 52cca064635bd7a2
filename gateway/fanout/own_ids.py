"""The event ids of this deployment: those whose epoch its own lease has given.

Redis does not know whose a message is. An id tells it: its epoch is the number of a lease, and the
lease is a key, which no other deployment shares.
"""

from typing import Final

from shared.event_id import EventId

AHEAD: Final = 1_000_000
"""How far the seq of an event may lie above the newest that Redis has confirmed; a full minute of
the busiest market."""

_KEPT: Final = 1_000
"""Earlier epochs that are remembered; each hand-over adds one."""


VOID: Final = EventId(1 << 63, 0)
"""The position of a client whose positions are void: beyond every id of a lease."""


class UnverifiedIdError(Exception):
    """An event has an id that the lease, as this gateway knows it, has not given."""

    def __init__(self, event_id: EventId) -> None:
        super().__init__(str(event_id))
        self.event_id = event_id


class OwnIds:
    """The ids that the lease has given, as it was read last.

    ``epoch`` is the newest one, 0 until one is known, and ``first_epoch`` the first one that was.
    ``last_seq`` bounds the ids under the newest. ``accepts_all``: there is no lease to compare
    with, because it has not been read, or no ingest has led on this Redis.
    """

    __slots__ = ("_earlier", "accepts_all", "epoch", "first_epoch", "last_seq")

    def __init__(self) -> None:
        self.accepts_all = True
        self.epoch = 0
        self.first_epoch = 0
        self.last_seq = 0
        self._earlier: dict[int, None] = {}

    @property
    def last(self) -> str:
        """The highest id that can be ours, as the end of a range in a history."""
        return f"{self.epoch}-{self.last_seq}" if self.epoch else "+"

    def on_lease(self, epoch: int, newest: EventId) -> None:
        """Note the number of the lease, and the newest id that Redis has confirmed."""
        self.accepts_all = False
        if epoch != self.epoch:
            if self.epoch:
                self._earlier[self.epoch] = None
            while len(self._earlier) > _KEPT:
                del self._earlier[next(iter(self._earlier))]
            self.last_seq = 0
        self.epoch = epoch
        self.first_epoch = self.first_epoch or epoch
        # Another leader's newest id says nothing about this one's.
        seq = newest.seq if newest.epoch == epoch else 0
        self.last_seq = max(self.last_seq, seq + AHEAD)

    def start_over(self, epoch: int, newest: EventId) -> None:
        """Note the lease of a Redis that has never given the ids known before."""
        self.epoch = self.first_epoch = 0
        self._earlier.clear()
        self.on_lease(epoch, newest)

    def is_beyond(self, position: EventId) -> bool:
        """Return whether a client's position lies above every id that the lease has given."""
        return 0 < self.epoch < position.epoch

    def accepts(self, event_id: EventId, *, stored: bool = False) -> bool:
        """Return whether an id is ours; a stored one may be of any earlier epoch.

        Keys belong to this deployment. Channels may carry the messages of another one.
        """
        if self.accepts_all:
            return True
        if event_id.epoch == self.epoch:
            return event_id.seq <= self.last_seq
        return event_id.epoch < self.epoch and (stored or event_id.epoch in self._earlier)
