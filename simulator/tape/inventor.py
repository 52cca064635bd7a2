"""The symbols that are on no tape: invented as soon as a client wants them.

A symbol walks while a session subscribes to it by name, on any channel; `*` names none. Otherwise
it stands still, except that each request that names it may take it one trade further: so the price
of a symbol that is polled moves as well. One task serves all symbols. Clock and sleep are
arguments.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from typing import Final

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message, Outgoing
from simulator.tape.walk import Walk

MOST_SYMBOLS: Final = 1000

FULL_PACE_SYMBOLS: Final = 100
"""If more symbols walk, each does so more slowly: together some 200 trades a second."""

_LONGEST_SLEEP: Final = 0.25
"""Seconds in which a symbol that a session wants again starts to walk."""
_SHORTEST_SLEEP: Final = 0.02


class Inventor:
    """Sends the trades of the invented symbols, each when it is due."""

    def __init__(
        self,
        is_free: Callable[[str], bool],
        new_walk: Callable[[str], Walk],
        publish: Callable[[Sequence[Outgoing]], None],
        named: Callable[[], Set[str]],
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        limit: int = MOST_SYMBOLS,
    ) -> None:
        """Set up an inventor.

        Args:
            is_free: Returns whether a symbol is well-formed and has no data yet.
            new_walk: Returns the walk of such a symbol.
            publish: Called with every batch.
            named: Returns the symbols to which a session subscribes by name.
            clock: Returns Unix time in nanoseconds, which must not decrease.
            sleep: Waits for a number of seconds.
            limit: The number of symbols that are invented at most; 0 means none.
        """
        self._is_free = is_free
        self._new_walk = new_walk
        self._publish = publish
        self._named = named
        self._clock = clock
        self._sleep = sleep
        self._limit = limit
        self._walks: dict[str, Walk] = {}
        self._due: dict[str, int] = {}
        self._walking: Sequence[str] = ()

    def invents(self, symbol: str) -> bool:
        """Return whether the data of a symbol are invented, or would be if a client wanted it."""
        return symbol in self._walks or (len(self._walks) < self._limit and self._is_free(symbol))

    def symbols(self) -> Sequence[str]:
        """Return the symbols that are invented so far, sorted."""
        return sorted(self._walks)

    def look_up(self, symbols: Iterable[str]) -> None:
        """Take symbols one trade further if it is due; the first trade of a new one always is."""
        now = self._clock()
        messages: list[Outgoing] = []
        for symbol in symbols:
            if self.invents(symbol) and self._due.get(symbol, now) <= now:
                messages += map(Outgoing, self._step(symbol, now))
        if messages:
            self._publish(messages)

    def follow(self) -> None:
        """Let the symbols walk to which a session subscribes now, and no others."""
        named = self._named()
        self.look_up(sorted(named))
        self._walking = [symbol for symbol in self._walks if symbol in named]

    async def run(self) -> None:
        """Send the trades until cancelled."""
        while True:
            self.look_up(self._walking)
            soonest = min((self._due[each] for each in self._walking), default=None)
            seconds = _LONGEST_SLEEP if soonest is None else (soonest - self._clock()) / SECOND
            await self._sleep(max(_SHORTEST_SLEEP, min(seconds, _LONGEST_SLEEP)))

    def _step(self, symbol: str, now: int) -> Sequence[Message]:
        """Return the next trade of a symbol, which may be its first."""
        walk = self._walks.get(symbol)
        if walk is None:
            walk = self._walks[symbol] = self._new_walk(symbol)
        crowd = max(1.0, len(self._walking) / FULL_PACE_SYMBOLS)
        self._due[symbol] = now + round(walk.next_pause() * crowd * SECOND)
        return walk.take_step(now)
