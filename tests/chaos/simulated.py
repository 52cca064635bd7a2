"""What Alpaca can do to us, by the simulator's own faults."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from simulator.faults.catalogue import Faults
from tests.chaos.plan import Odds
from tests.chaos.trading import Trading

FEED = "iex"

Strike = Callable[[Faults, Trading, float], Awaitable[float]]
"""Takes the simulator's faults, the trading, and for how long; returns how long recovery cannot
begin, in seconds."""

Call = Callable[[Faults], object]


def _now(call: Call) -> Strike:
    """Strike the present connection."""

    async def strike(faults: Faults, _: Trading, __: float) -> float:
        call(faults)
        return 0.0

    return strike


def _next(arm: Call) -> Strike:
    """Arm something for the next connection, and end the present one."""

    async def strike(faults: Faults, _: Trading, __: float) -> float:
        arm(faults)
        faults.close(FEED, code=1001)
        return 0.0

    return strike


def _for(call: Callable[[Faults, float], object], *, holds_up: bool = True) -> Strike:
    """Do something that lasts."""

    async def strike(faults: Faults, _: Trading, seconds: float) -> float:
        call(faults, seconds)
        return seconds if holds_up else 0.0

    return strike


def _around(call: Callable[[Faults, list[dict[str, Any]]], object]) -> Strike:
    """Send something odd in one frame with good trades, which have to arrive."""

    async def strike(faults: Faults, trading: Trading, _: float) -> float:
        call(faults, trading.some_trades())
        return 0.0

    return strike


def _with_more_fields(trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**trade, "zz": {"deep": [1, None]}, "r": trade["t"]} for trade in trades]


_NOBODYS = [{"T": "t", "S": "NOBODY", "i": 1, "x": "V", "p": 1.5, "s": 100, "c": ["@"], "z": "C"}]

SIMULATED: Mapping[str, tuple[Odds, Strike]] = {
    "reset": (Odds(3), _now(lambda faults: faults.reset(FEED))),
    "fin": (Odds(3), _now(lambda faults: faults.fin(FEED))),
    "close": (Odds(3), _now(lambda faults: faults.close(FEED, code=1000))),
    "slow_client": (Odds(2), _now(lambda faults: faults.error(FEED, code=407))),
    "internal_error": (Odds(2), _now(lambda faults: faults.error(FEED, code=500))),
    "half_open": (Odds(0.5), _now(lambda faults: faults.half_open(FEED))),
    "mute": (Odds(0.5), _now(lambda faults: faults.mute(FEED))),
    "mute_briefly": (
        Odds(3, (1, 4)),
        _for(lambda faults, seconds: faults.mute(FEED, seconds=seconds)),
    ),
    "mute_after_connect": (Odds(0.5), _next(lambda faults: faults.mute_after_connect(FEED))),
    "mute_after_auth": (Odds(0.5), _next(lambda faults: faults.mute_after_auth(FEED))),
    "ignore_subscribe": (Odds(0.5), _next(lambda faults: faults.ignore_subscribe(FEED))),
    "refuse_subscribe": (Odds(0.5), _next(lambda faults: faults.refuse_subscribe(FEED, code=405))),
    "refuse_upgrade": (
        Odds(2),
        _next(lambda faults: faults.refuse_upgrade(FEED, status=503, count=2)),
    ),
    "garbage": (Odds(2), _now(lambda faults: faults.garbage(FEED))),
    "no_array": (Odds(2), _now(lambda faults: faults.no_array(FEED))),
    "malformed": (
        Odds(3),
        _around(lambda faults, trades: faults.malformed(FEED, messages=trades)),
    ),
    "unknown_type": (
        Odds(2),
        _around(lambda faults, trades: faults.unknown_type(FEED, messages=trades)),
    ),
    "huge": (Odds(2), _around(lambda faults, trades: faults.huge(FEED, messages=trades))),
    "more_fields": (
        Odds(2),
        _around(lambda faults, trades: faults.send_messages(FEED, _with_more_fields(trades))),
    ),
    "late_data": (Odds(2), _now(lambda faults: faults.send_messages(FEED, _NOBODYS))),
    "rest_error": (
        Odds(3, (1, 5)),
        _for(lambda faults, seconds: faults.rest(status=503, seconds=seconds), holds_up=False),
    ),
    "rest_slow": (
        Odds(2, (1, 5)),
        _for(
            lambda faults, seconds: faults.rest(delay_seconds=1.0, seconds=seconds),
            holds_up=False,
        ),
    ),
}
"""By name: the frequency, the duration and the action."""
