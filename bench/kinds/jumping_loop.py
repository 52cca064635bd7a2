"""An event loop on a clock that jumps: half a minute of a recording passes in milliseconds."""

import asyncio
import selectors
from collections.abc import Callable


class JumpingLoop(asyncio.SelectorEventLoop):
    """Instead of waiting for its next timer, it sets its clock (``time``, in s) to that moment.

    So timers and messages come in the order in which they come in reality. It serves no sockets.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NoWait(self._jump))

    def time(self) -> float:
        """Return the time of this loop, 0 at its start."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds


class _NoWait(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let time pass; no socket is ever ready."""
        if timeout is None:
            raise RuntimeError("no timer is left that could end this wait")
        self._jump(max(timeout, 0.0))
        return []
