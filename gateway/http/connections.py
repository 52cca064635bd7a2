"""The open connections of a server, of which some only wait for their peer."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

WAITING_SECONDS = 1.0
"""How long a peer may take at least, however many wait for its place."""


class Connection(Protocol):
    """A connection that can be closed at once."""

    def end(self) -> None:
        """Close it."""


class Connections(set[Any]):
    """uvicorn's set of open connections: waited for instead of polled, and limited.

    A connection *waits* while its peer has no request under way, or does not read the answer. When
    there is no room for another connection, those that have waited longest are ended first.
    ``limit`` is the most connections; ``on_room`` is called when one ends; ``clock`` gives seconds.
    """

    def __init__(
        self, limit: int, on_room: Callable[[], None], clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__()
        self._limit = limit
        self._on_room = on_room
        self._clock = clock
        self._waiting: dict[Connection, float] = {}
        self._emptied = asyncio.Event()

    @property
    def room(self) -> int:
        """The number of connections that may still be accepted."""
        return self._limit - len(self)

    def discard(self, connection: object) -> None:
        """Remove a connection if it is there."""
        super().discard(connection)
        self._waiting.pop(connection, None)  # type: ignore[call-overload]
        if not self:
            self._emptied.set()
        self._on_room()

    def note_waiting(self, connection: Connection) -> None:
        """Note that a connection waits for its peer from now on."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = self._clock()

    def note_busy(self, connection: Connection) -> None:
        """Note that a connection has something to do."""
        self._waiting.pop(connection, None)

    def end_oldest_waiting(self) -> bool:
        """End the connection that has waited longest; return False if none has waited long."""
        if not self._waiting:
            return False
        oldest = next(iter(self._waiting))
        if self._clock() - self._waiting[oldest] < WAITING_SECONDS:
            return False
        del self._waiting[oldest]
        oldest.end()
        return True

    async def wait_until_empty(self) -> None:
        """Wait until no connection is open."""
        while self:  # a connection that was being accepted may have come meanwhile
            self._emptied.clear()
            await self._emptied.wait()
