"""The updates on their way to the account's stream, which faults delay, lose or swap. Pure."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from simulator.faults.armed import ArmedFaults
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.subscription import ACCOUNT

Update: TypeAlias = Mapping[str, object]
"""The data of a `trade_updates` message."""


class UpdateQueue:
    """Passes updates on in order: at once, or at the end of a delay."""

    def __init__(
        self, armed: ArmedFaults, clock: Callable[[], int], publish: Callable[[Update], None]
    ) -> None:
        """`clock` returns Unix time in nanoseconds."""
        self._armed = armed
        self._clock = clock
        self._publish = publish
        self._waiting: list[Update] = []
        self._swapped: Update | None = None
        self._delayed_until = 0

    def add(self, update: Update) -> None:
        """Pass an update on, after those that wait, unless a fault loses or swaps it."""
        if self._swapped is not None:
            self._waiting += update, self._swapped
            self._swapped = None
        elif fault := self._armed.take("update", ACCOUNT.name):
            if fault.name == "swapped_updates":
                self._swapped = update
        else:
            self._waiting.append(update)
        self.release()

    def delay(self, seconds: float) -> None:
        """Pass nothing on for a time."""
        self._delayed_until = max(self._delayed_until, self._clock() + round(seconds * SECOND))

    def release(self) -> None:
        """Pass the waiting updates on, unless a delay lasts."""
        if self._clock() < self._delayed_until:
            return
        waiting, self._waiting = self._waiting, []
        for update in waiting:
            self._publish(update)
