"""Faults that are armed for the next few occasions or for a period. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal[
    "upgrade",
    "auth",
    "subscribe",
    "request",
    "statement",
    "row",
    "positions",
    "update",
    "adjustment",
    "bar",
]
"""The point at which a fault strikes: a WebSocket's opening, its keys, its subscribe; a REST
request; REST's view of the account, or of one position; the moment after the positions were
read; a trade update; a request for a symbol's adjusted bars; or a bar on the stream."""


@dataclass(frozen=True)
class Fault:
    """A fault at a stage.

    `target` is a feed's name, the start of a REST path, or the start of a bar's `T` and minute.
    `code` is the error or the HTTP status of the response; None means no response (at `request`,
    the normal one). `close` is whether the
    connection ends after the error; None means as the protocol requires. `symbol`, `quantity` and
    `price` are those of the position or the fill that the fault is about.
    `ratio` is the number of new shares for one old share by which bars are adjusted.
    """

    name: str
    stage: Stage
    target: str
    code: int | None = None
    close: bool | None = None
    delay_seconds: float = 0.0
    symbol: str | None = None
    quantity: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    ratio: float | None = None


@dataclass
class _Armed:
    fault: Fault
    left: int | None
    until: float | None


class ArmedFaults:
    """The armed faults, first in, first out."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds."""
        self._monotonic = monotonic
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault, count: int | None, seconds: float | None) -> None:
        """Arm a fault for `count` times, for `seconds`, or for both; by default once.

        Raises:
            ValueError: `count` or `seconds` is not positive.
        """
        if count is not None and count < 1:
            raise ValueError(f"count is {count}, expected 1 or more")
        if seconds is not None and not 0 < seconds < float("inf"):
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        left = 1 if count is None and seconds is None else count
        until = None if seconds is None else self._monotonic() + seconds
        self._armed.append(_Armed(fault, left, until))

    def take(self, stage: Stage, target: str, symbol: str | None = None) -> Fault | None:
        """Return the fault that strikes now, and count it; `symbol` None accepts any symbol's."""
        self._drop_spent()
        for armed in self._armed:
            fault = armed.fault
            if symbol is not None and fault.symbol != symbol:
                continue
            if fault.stage == stage and target.startswith(fault.target):
                if armed.left is not None:
                    armed.left -= 1
                return fault
        return None

    def clear(self, target: str | None = None) -> None:
        """Disarm the faults of a target, or all."""
        self._armed = [
            armed for armed in self._armed if target is not None and armed.fault.target != target
        ]

    def shown(self) -> list[dict[str, object]]:
        """Return the armed faults, as `GET /simulator/state` shows them; times in seconds."""
        self._drop_spent()
        return [
            {
                "fault": armed.fault.name,
                "target": armed.fault.target,
                "code": armed.fault.code,
                "delay_seconds": armed.fault.delay_seconds,
                "ratio": armed.fault.ratio,
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
