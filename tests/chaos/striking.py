"""The forms of the simulator's faults: at once, at the next connection, for a time, in a frame."""

from collections.abc import Awaitable, Callable
from typing import Any

from simulator.faults.catalogue import Faults
from tests.chaos.trading import Trading

Strike = Callable[[Faults, Trading, float], Awaitable[float | None]]
"""Takes the simulator's faults, the trading, and for how long; returns how long recovery cannot
begin, in seconds, or None if there was no connection to strike."""

Call = Callable[[Faults], int]
"""Strikes the present connections; returns their number."""

Messages = list[dict[str, Any]]


def at_once(call: Call) -> Strike:
    """Strike the present connection."""

    async def strike(faults: Faults, _: Trading, __: float) -> float | None:
        return 0.0 if call(faults) else None

    return strike


def at_next(feed: str, arm: Callable[[Faults], object]) -> Strike:
    """Arm something for the next connection of a stream, and end the present one."""

    async def strike(faults: Faults, _: Trading, __: float) -> float:
        arm(faults)
        faults.close(feed, code=1001)
        return 0.0

    return strike


def lasting(call: Callable[[Faults, float], object], *, holds_up: bool = True) -> Strike:
    """Do something that lasts; ``holds_up``: recovery cannot begin before its end."""

    async def strike(faults: Faults, _: Trading, seconds: float) -> float:
        call(faults, seconds)
        return seconds if holds_up else 0.0

    return strike


def around(
    call: Callable[[Faults, Messages], int],
    trades: Callable[[Trading], Messages],
    on_sent: Callable[[Trading], None] = lambda _: None,
) -> Strike:
    """Send something odd in one frame with good trades, which have to arrive."""

    async def strike(faults: Faults, trading: Trading, _: float) -> float | None:
        struck = call(faults, trades(trading))
        on_sent(trading)
        return 0.0 if struck else None

    return strike


def with_more_fields(trades: Messages) -> Messages:
    """Return trades with fields that this version of the protocol does not have."""
    return [{**trade, "zz": {"deep": [1, None]}, "r": trade["t"]} for trade in trades]
