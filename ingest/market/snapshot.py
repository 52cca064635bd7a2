"""What is read of a REST snapshot (``/v2/stocks/snapshots``) for the last price."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ingest.alpaca.messages import Number
from ingest.market.trading_day import day_of
from shared import rfc3339


class _Trade(msgspec.Struct, rename={"time": "t", "price": "p", "size": "s", "id": "i",
             "exchange": "x", "conditions": "c", "tape": "z"}):  # fmt: skip
    time: str
    price: Number
    size: Number
    id: int | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None


class _Bar(msgspec.Struct, rename={"time": "t", "close": "c"}):
    time: str
    close: Number


class _Snapshot(msgspec.Struct, rename="camel"):
    latest_trade: _Trade | None = None
    minute_bar: _Bar | None = None
    daily_bar: _Bar | None = None
    prev_daily_bar: _Bar | None = None


class LastTrade(NamedTuple):
    """The newest print; ``at`` in unix ns."""

    at: int
    price: float
    size: float | None
    id: int | None
    exchange: str | None
    conditions: tuple[str, ...] | None
    tape: str | None


class Bars(NamedTuple):
    """The closes of the newest bars and of the day before them.

    ``minute`` with its start in unix ns, ``day`` with its number by ``day_of``.
    """

    minute: tuple[int, float] | None
    day: tuple[int, float] | None
    previous: float | None


def is_price(price: float) -> bool:
    """Return whether a number can be a price: above zero and finite."""
    return 0 < price < math.inf


def read(snapshot: Mapping[str, Any]) -> tuple[LastTrade | None, Bars]:
    """Return the last trade and the bars; what has no valid price counts as absent.

    Raises:
        ValueError: the snapshot has another form.
    """
    found = msgspec.convert(snapshot, _Snapshot)
    trade, previous = found.latest_trade, found.prev_daily_bar
    daily = _bar(found.daily_bar)
    bars = Bars(
        minute=_bar(found.minute_bar),
        day=None if daily is None else (day_of(daily[0]), daily[1]),
        previous=previous.close if previous is not None and is_price(previous.close) else None,
    )
    if trade is None or not is_price(trade.price):
        return None, bars
    return LastTrade(
        rfc3339.to_nanoseconds(trade.time),
        trade.price,
        trade.size,
        trade.id,
        trade.exchange,
        trade.conditions,
        trade.tape,
    ), bars


def _bar(bar: _Bar | None) -> tuple[int, float] | None:
    if bar is None or not is_price(bar.close):
        return None
    return rfc3339.to_nanoseconds(bar.time), bar.close
