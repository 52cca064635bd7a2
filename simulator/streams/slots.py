"""The slot for the one connection that Alpaca allows per endpoint and user.

A connection that vanished with no WebSocket close keeps its slot for a time: at Alpaca
about 90 s (forum.alpaca.markets, thread 10896).
"""

from collections.abc import Callable


class Slots:
    """The connections in use, and the ghosts of dropped ones."""

    def __init__(self, ghost_seconds: float, monotonic: Callable[[], float]) -> None:
        self._ghost_seconds = ghost_seconds
        self._monotonic = monotonic
        self._held: set[tuple[str, str]] = set()
        self._ghosts: dict[tuple[str, str], float] = {}
        self._free_at: dict[tuple[str, str], float] = {}
        self._refused_at: dict[tuple[str, str], float] = {}

    def free_at(self, feed: str, key: str) -> float:
        """Return the monotonic time since which the slot is free, or at which a ghost frees it."""
        return self._free_at.get((feed, key), float("-inf"))

    def refused_at(self, feed: str, key: str) -> float:
        """Return the monotonic time of the last claim that was refused."""
        return self._refused_at.get((feed, key), float("-inf"))

    def claim(self, feed: str, key: str) -> bool:
        """Acquire the slot; return False if a session or a ghost holds it."""
        slot = (feed, key)
        if slot in self._held or self._ghosts.get(slot, float("-inf")) > self._monotonic():
            self._refused_at[slot] = self._monotonic()
            return False
        self._ghosts.pop(slot, None)
        self._held.add(slot)
        return True

    def release(self, feed: str, key: str, *, closed: bool) -> None:
        """Release the slot, or after the ghost's time if there was no WebSocket close."""
        slot = (feed, key)
        self._held.discard(slot)
        self._free_at[slot] = self._monotonic()
        if not closed:
            self._ghosts[slot] = self._free_at[slot] = self._monotonic() + self._ghost_seconds

    def end_ghosts(self) -> None:
        """Free the slots of all dropped connections now."""
        self._free_at |= dict.fromkeys(self._ghosts, self._monotonic())
        self._ghosts.clear()
