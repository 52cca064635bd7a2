"""What Alpaca can do to us, by the simulator's own faults."""

import asyncio
from collections.abc import Callable, Mapping

from simulator.faults.catalogue import Faults
from tests.chaos.markets import STOCKS_FEED as FEED
from tests.chaos.other_feeds import OTHER_FEEDS
from tests.chaos.plan import Odds
from tests.chaos.striking import (
    Messages,
    Strike,
    around,
    at_next,
    at_once,
    lasting,
    with_more_fields,
)
from tests.chaos.tape import BUSY, QUIET
from tests.chaos.trading import Trading

ACCOUNT = "account"
NEWS = "news"

CUT_SECONDS = 0.1
"""The time after which a cut connection is gone, and a new one has been rejected once."""


def _around(call: Callable[[Faults, Messages], int]) -> Strike:
    """Send something odd in one frame with good trades of stocks, which have to arrive."""
    return around(call, lambda trading: trading.some_trades(), lambda t: t.note_bars(BUSY))


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
    symbol, qty, price = trading.bot.a_fill()
    faults.torn_report(symbol=symbol, qty=qty, price=price)
    await trading.bot.fill()  # an execution is followed by a report soon
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
    await trading.bot.fill()
    await trading.bot.fill()
    await asyncio.sleep(seconds)
    return seconds


async def _second_row(faults: Faults, trading: Trading, seconds: float) -> float:
    """Show a position in two rows, and fill an order of its symbol."""
    symbol = trading.bot.an_owned_stock()
    if symbol is not None:
        faults.second_row(symbol=symbol, seconds=seconds)
        await trading.bot.fill(symbol)
    await asyncio.sleep(seconds)
    return seconds


async def _activity(_: Faults, trading: Trading, __: float) -> float:
    trading.bot.activity()
    return 0.0


async def _orders(_: Faults, trading: Trading, __: float) -> float:
    """Send orders that fill in parts, one while the others are still filling."""
    await trading.bot.order_some()
    return 0.0


async def _coins(_: Faults, trading: Trading, __: float) -> float:
    await trading.bot.fill_coins()
    return 0.0


async def _spread(_: Faults, trading: Trading, __: float) -> float:
    await trading.bot.fill_spread()
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
    await trading.bot.fill()
    await trading.bot.fill()
    return 0.0


_NOBODYS = [{"T": "t", "S": "NOBODY", "i": 1, "x": "V", "p": 1.5, "s": 100, "c": ["@"], "z": "C"}]

SIMULATED: Mapping[str, tuple[Odds, Strike]] = {
    "reset": (Odds(3), at_once(lambda faults: faults.reset(FEED))),
    "fin": (Odds(3), at_once(lambda faults: faults.fin(FEED))),
    "close": (Odds(3), at_once(lambda faults: faults.close(FEED, code=1000))),
    "slow_client": (Odds(2), at_once(lambda faults: faults.error(FEED, code=407))),
    "internal_error": (Odds(2), at_once(lambda faults: faults.error(FEED, code=500))),
    "half_open": (Odds(0.5), at_once(lambda faults: faults.half_open(FEED))),
    "mute": (Odds(0.5), at_once(lambda faults: faults.mute(FEED))),
    "mute_briefly": (Odds(3, (1, 4)), _mute_briefly),
    "mute_after_connect": (
        Odds(0.5),
        at_next(FEED, lambda faults: faults.mute_after_connect(FEED)),
    ),
    "mute_after_auth": (Odds(0.5), at_next(FEED, lambda faults: faults.mute_after_auth(FEED))),
    "ignore_subscribe": (Odds(0.5), at_next(FEED, lambda faults: faults.ignore_subscribe(FEED))),
    "refuse_subscribe": (
        Odds(0.5),
        at_next(FEED, lambda faults: faults.refuse_subscribe(FEED, code=405)),
    ),
    "refuse_upgrade": (
        Odds(2),
        at_next(FEED, lambda faults: faults.refuse_upgrade(FEED, status=503, count=2)),
    ),
    "garbage": (Odds(2), at_once(lambda faults: faults.garbage(FEED))),
    "no_array": (Odds(2), at_once(lambda faults: faults.no_array(FEED))),
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
        _around(lambda faults, trades: faults.send_messages(FEED, with_more_fields(trades))),
    ),
    "late_data": (Odds(2), at_once(lambda faults: faults.send_messages(FEED, _NOBODYS))),
    "withhold": (Odds(1.5), _withhold),
    "withhold_for_long": (Odds(0.5, (20, 30)), _withhold_for_long),
    "retract_unheard": (Odds(3), _retract_unheard),
    "odd_frame": (Odds(4), at_once(lambda faults: faults.odd_frame(FEED, symbol="SPY"))),
    "account_reset": (Odds(2), at_once(lambda faults: faults.reset(ACCOUNT))),
    "account_close": (Odds(2), at_once(lambda faults: faults.close(ACCOUNT, code=1000))),
    "account_odd_frame": (Odds(3), at_once(lambda faults: faults.odd_frame(ACCOUNT))),
    "account_mute_briefly": (
        Odds(1, (1, 3)),
        lasting(lambda faults, seconds: faults.mute(ACCOUNT, seconds=seconds)),
    ),
    "news_reset": (Odds(2), at_once(lambda faults: faults.reset(NEWS))),
    "news_close": (Odds(2), at_once(lambda faults: faults.close(NEWS, code=1000))),
    "news_odd_frame": (Odds(2), at_once(lambda faults: faults.odd_frame(NEWS, symbol="SPY"))),
    "news_unheard_subscribe": (Odds(1), _unheard_subscribe),
    "unheard_fills": (Odds(3), _unheard_fills),
    "torn_report": (Odds(4), _torn_report),
    "stale_positions": (Odds(3, (1, 4)), _unexplained_quantity),
    "late_updates": (Odds(3, (1, 4)), _late_updates),
    "second_row": (Odds(2, (2, 5)), _second_row),
    "activity": (Odds(2), _activity),
    "orders": (Odds(3), _orders),
    "coins": (Odds(3), _coins),
    "spread": (Odds(3), _spread),
    "no_streams": (Odds(1), _no_streams),
    "rest_error": (
        Odds(3, (1, 5)),
        lasting(lambda faults, seconds: faults.rest(status=503, seconds=seconds), holds_up=False),
    ),
    "rest_slow": (
        Odds(2, (1, 5)),
        lasting(
            lambda faults, seconds: faults.rest(delay_seconds=1.0, seconds=seconds),
            holds_up=False,
        ),
    ),
    **OTHER_FEEDS,
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
        "spread",
        "no_streams",
        *OTHER_FEEDS,
    }
)
"""The faults of the account, of the news, or of pairs and contracts alone: no client may lack a
fresh price of a stock meanwhile, however long they last."""
