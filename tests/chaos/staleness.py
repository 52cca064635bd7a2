"""The seconds in which some client has no fresh price."""

import asyncio
from collections.abc import Callable

LOOK_SECONDS = 0.05


class Staleness:
    """Counts the ``seconds`` in which some client had no fresh price. ``run`` until cancelled."""

    def __init__(self, is_fresh: Callable[[], bool], seconds_now: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._is_fresh = is_fresh
        self._now = seconds_now
        self._looked_at = seconds_now()

    async def run(self) -> None:
        """Look all the time."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Count the time since the last look, unless every client has a fresh price."""
        before, self._looked_at = self._looked_at, self._now()
        if not self._is_fresh():
            self.seconds += self._looked_at - before
