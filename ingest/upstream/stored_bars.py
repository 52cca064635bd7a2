"""The bars in Redis, as their filling needs them."""

from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from shared import bar
from shared.event_id import EventId


class StoredVersion(Protocol):
    """The newest version of a bar in Redis. ``running``: its span had not ended."""

    @property
    def bar(self) -> bar.Bar:
        """The event."""

    @property
    def running(self) -> bool:
        """Whether its span had not ended."""


class StoredBars(Protocol):
    """The bars in Redis; ``ingest.bus`` implements it."""

    async def read(self, topics: Sequence[str]) -> Mapping[str, Sequence[StoredVersion]]:
        """Return the stored bars of each topic, oldest first.

        Raises:
            BusError: Redis is unreachable or rejects a command.
        """

    async def fill(
        self,
        bars: Mapping[str, Sequence[bar.Bar]],
        as_of: EventId,
        *,
        whole_since: Mapping[str, int],
        removed_before: Mapping[str, int] = ...,
    ) -> None:
        """Store ended bars by topic; a version that was published after ``as_of`` stays.

        ``removed_before``: topics of which all other bars that start before a time (unix s) go.

        Raises:
            BusError: Redis is unreachable or rejects the script.
        """

    async def lacking(self, topics: Sequence[str]) -> Set[str]:
        """Return those of the topics whose bars are not kept whole.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """

    async def forget(self, topics: Sequence[str]) -> None:
        """Note that the bars of topics are no longer kept whole.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
