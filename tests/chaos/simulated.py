"""What Alpaca can do to us, by the simulator's own faults."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from simulator.faults.catalogue import Faults
from tests.chaos.plan import Odds
from tests.chaos.tape import BUSY, QUIET
from tests.chaos.trading import Trading

FEED = "iex"
ACCOUNT = "account"
NEWS = "news"

CUT_SECONDS = 0.1
"""The time after which a cut connection is gone, and a new one has been rejected once."""

Strike = Callable[[Faults, Trading, float], Awaitable[float | None]]
"""Takes the simulator's faults, the trading, and for how long; returns how long recovery cannot
begin, in seconds, or None if there was no connection to strike."""

Call = Callable[[Faults], int]
"""Strikes the present connections; returns their number."""


def _now(call: Call) -> Strike:
    """Strike the present connection."""

    async def strike(faults: Faults, _: Trading, __: float) -> float | None:
        return 0.0 if call(faults) else None

    return strike


def _next(arm: Callable[[Faults], object]) -> Strike:
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


def _around(call: Callable[[Faults, list[dict[str, Any]]], int]) -> Strike:
    """Send something odd in one frame with good trades, which have to arrive."""

    async def strike(faults: Faults, trading: Trading, _: float) -> float | None:
        struck = call(faults, trading.some_trades())
        trading.note_bars(BUSY)
        return 0.0 if struck else None

    return strike


async def _mute_briefly(faults: Faults, trading: Trading, seconds: float) -> float | None:
    """Swallow the stream's messages: it is silent, and then continues as if nothing had been."""
    trading.on_mute(seconds)
    return seconds if faults.mute(FEED, seconds=seconds) else None


async def _withhold(faults: Faults, trading: Trading, _: float) -> float:
    """Withhold a busy symbol until it is subscribed to again: its prints must not stay missing."""
    faults.withhold(FEED, symbol=trading.a_busy_symbol())
    return 0.0


async def _withhold_for_long(faults: Faults, trading: Trading, seconds: float) -> float:
    """Withhold a busy symbol over new subscriptions."""
    symbol = trading.a_busy_symbol()
    faults.withhold(FEED, symbol=symbol, seconds=seconds, is_lasting=True)
    trading.on_withheld(symbol, seconds)
    return 0.0


async def _retract_unheard(faults: Faults, trading: Trading, _: float) -> float:
    """Cut the stream, and cancel and correct prints of before and of the outage in the meantime."""
    faults.refuse_upgrade(FEED, status=503, count=1)
    faults.close(FEED, code=1001)
    await asyncio.sleep(CUT_SECONDS)
    await trading.retract((*QUIET, *BUSY[:3]))
    await trading.one_of((*QUIET, *BUSY[:3]))
    await trading.retract(QUIET[:1], cancel=True)
    await trading.retract((*QUIET[1:], *BUSY[:2]))
    return 0.0


async def _torn_report(faults: Faults, trading: Trading, _: float) -> float:
    """Fill an order between the two requests of a report."""
    symbol, qty, price = trading.a_fill()
    faults.torn_report(symbol=symbol, qty=qty, price=price)
    await trading.fill()  # an execution is followed by a report soon
    return 0.0


async def _unexplained_quantity(faults: Faults, trading: Trading, seconds: float) -> float:
    """Fill orders while REST shows the account as it was before."""
    faults.stale_positions(seconds=seconds)
    return await _fills_during(trading, seconds)


async def _late_updates(faults: Faults, trading: Trading, seconds: float) -> float:
    """Fill orders of which the account's stream brings the updates later than REST."""
    faults.late_updates(seconds=seconds)
    return await _fills_during(trading, seconds)


async def _fills_during(trading: Trading, seconds: float) -> float:
    await trading.fill()
    await trading.fill()
    await asyncio.sleep(seconds)
    return seconds


async def _second_row(faults: Faults, trading: Trading, seconds: float) -> float:
    """Show a position in two rows, and fill an order of its symbol."""
    symbol = trading.an_owned_symbol()
    if symbol is not None:
        faults.second_row(symbol=symbol, seconds=seconds)
        await trading.fill(symbol)
    await asyncio.sleep(seconds)
    return seconds


async def _activity(_: Faults, trading: Trading, __: float) -> float:
    trading.activity()
    return 0.0


async def _orders(_: Faults, trading: Trading, __: float) -> float:
    """Send orders that fill in parts, one while the others are still filling."""
    await trading.order_some()
    return 0.0


async def _coins(_: Faults, trading: Trading, __: float) -> float:
    await trading.buy_coins()
    return 0.0


async def _no_streams(faults: Faults, _: Trading, __: float) -> float:
    """Let the account's next connection listen to nothing."""
    faults.no_streams()
    faults.close(ACCOUNT, code=1001)
    return 0.0


async def _unheard_subscribe(faults: Faults, _: Trading, __: float) -> float | None:
    """End the connection of the news, and let the next one ignore what it subscribes to."""
    faults.ignore_subscribe(NEWS)
    return 0.0 if faults.close(NEWS, code=1001) else None


async def _unheard_fills(faults: Faults, trading: Trading, _: float) -> float:
    """Cut the account's stream, and fill orders in the meantime."""
    faults.refuse_upgrade(ACCOUNT, status=503, count=1)
    faults.reset(ACCOUNT)
    await trading.fill()
    await trading.fill()
    return 0.0


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
    "mute_briefly": (Odds(3, (1, 4)), _mute_briefly),
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
    "withhold": (Odds(1.5), _withhold),
    "withhold_for_long": (Odds(0.5, (20, 30)), _withhold_for_long),
    "retract_unheard": (Odds(3), _retract_unheard),
    "odd_frame": (Odds(4), _now(lambda faults: faults.odd_frame(FEED, symbol="SPY"))),
    "account_reset": (Odds(2), _now(lambda faults: faults.reset(ACCOUNT))),
    "account_close": (Odds(2), _now(lambda faults: faults.close(ACCOUNT, code=1000))),
    "account_odd_frame": (Odds(3), _now(lambda faults: faults.odd_frame(ACCOUNT))),
    "account_mute_briefly": (
        Odds(1, (1, 3)),
        _for(lambda faults, seconds: faults.mute(ACCOUNT, seconds=seconds)),
    ),
    "news_reset": (Odds(2), _now(lambda faults: faults.reset(NEWS))),
    "news_close": (Odds(2), _now(lambda faults: faults.close(NEWS, code=1000))),
    "news_odd_frame": (Odds(2), _now(lambda faults: faults.odd_frame(NEWS, symbol="SPY"))),
    "news_unheard_subscribe": (Odds(1), _unheard_subscribe),
    "unheard_fills": (Odds(3), _unheard_fills),
    "torn_report": (Odds(4), _torn_report),
    "stale_positions": (Odds(3, (1, 4)), _unexplained_quantity),
    "late_updates": (Odds(3, (1, 4)), _late_updates),
    "second_row": (Odds(2, (2, 5)), _second_row),
    "activity": (Odds(2), _activity),
    "orders": (Odds(3), _orders),
    "coins": (Odds(3), _coins),
    "no_streams": (Odds(1), _no_streams),
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

SPARE_PRICES = frozenset(
    {
        "account_reset",
        "account_close",
        "account_odd_frame",
        "account_mute_briefly",
        "news_reset",
        "news_close",
        "news_odd_frame",
        "news_unheard_subscribe",
        "unheard_fills",
        "torn_report",
        "stale_positions",
        "late_updates",
        "second_row",
        "activity",
        "orders",
        "coins",
        "no_streams",
    }
)
"""The faults of the account or of the news alone: no client may lack a fresh price meanwhile,
however long they last."""
