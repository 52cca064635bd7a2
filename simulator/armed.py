"""Faults that wait for their moment: for the next so many times, or for a while. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["upgrade", "auth", "subscribe", "request", "statement"]
"""Where a fault strikes: a WebSocket's opening, its keys, its subscribe; a REST request; or what
REST tells of the account."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at a stage.

    `target` is a feed's name, or how a REST path begins. `code` is the error or the HTTP status
    to answer with; None means no answer, at `request` the right one. `close` says whether the
    connection ends after the error; None means as the protocol has it.
    """

    name: str
    stage: Stage
    target: str
    code: int | None = None
    close: bool | None = None
    delay_seconds: float = 0.0


@dataclass
class _Armed:
    fault: Fault
    left: int | None
    until: float | None


class ArmedFaults:
    """What is armed, first in, first out."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds."""
        self._monotonic = monotonic
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault, count: int | None, seconds: float | None) -> None:
        """Arm a fault for so many times, for so long, or for both; for neither means once.

        Raises:
            ValueError: there would be none.
        """
        if count is not None and count < 1:
            raise ValueError(f"count is {count}, expected 1 or more")
        if seconds is not None and not 0 < seconds < float("inf"):
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        left = 1 if count is None and seconds is None else count
        until = None if seconds is None else self._monotonic() + seconds
        self._armed.append(_Armed(fault, left, until))

    def take(self, stage: Stage, target: str) -> Fault | None:
        """Return the fault that strikes now, and count it."""
        self._drop_spent()
        for armed in self._armed:
            if armed.fault.stage == stage and target.startswith(armed.fault.target):
                if armed.left is not None:
                    armed.left -= 1
                return armed.fault
        return None

    def clear(self, target: str | None = None) -> None:
        """Disarm what is armed for a target, or everything."""
        self._armed = [
            armed for armed in self._armed if target is not None and armed.fault.target != target
        ]

    def shown(self) -> list[dict[str, object]]:
        """Return what is armed, as `GET /simulator/state` shows it; times in seconds."""
        self._drop_spent()
        return [
            {
                "fault": armed.fault.name,
                "target": armed.fault.target,
                "code": armed.fault.code,
                "delay_seconds": armed.fault.delay_seconds,
                "times_left": armed.left,
                "seconds_left": self._seconds_left(armed),
            }
            for armed in self._armed
        ]

    def _seconds_left(self, armed: _Armed) -> float | None:
        return None if armed.until is None else round(armed.until - self._monotonic(), 3)

    def _drop_spent(self) -> None:
        now = self._monotonic()
        self._armed = [
            armed
            for armed in self._armed
            if armed.left != 0 and (armed.until is None or armed.until > now)
        ]
