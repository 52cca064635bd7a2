"""Daily bars out of REST answers: the day's trading so far, and the days' closes before it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from ingest.alpaca.messages import Number
from ingest.market.market_hours import NEW_YORK
from ingest.market.snapshot import is_price
from shared import rfc3339
from shared.bar import Bar


class _DayBar(msgspec.Struct, rename={"time": "t", "open": "o", "high": "h", "low": "l",
              "close": "c", "volume": "v", "trade_count": "n", "vwap": "vw"}):  # fmt: skip
    time: str
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    trade_count: int | None = None
    vwap: Number | None = None


class _Snapshot(msgspec.Struct, rename="camel"):
    daily_bar: _DayBar | None = None


class _Close(msgspec.Struct, rename={"time": "t", "close": "c"}):
    time: str
    close: Number


def day_bar_of_snapshot(symbol: str, snapshot: Mapping[str, Any] | None) -> Bar | None:
    """Return a REST snapshot's daily bar, or None where there is none.

    Before a day's first trade it is the last day's; its ``timestamp`` tells. It is never ``final``,
    since a snapshot does not say whether its day is over.

    Raises:
        ValueError: the snapshot has another form.
    """
    bar = msgspec.convert(snapshot or {}, _Snapshot).daily_bar
    if bar is None:
        return None
    if not all(map(is_price, (bar.open, bar.high, bar.low, bar.close))):
        raise ValueError(f"{bar!r} has a price that is none")
    return Bar(
        symbol=symbol,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        trade_count=bar.trade_count,
        vwap=bar.vwap,
        revision=0,
        final=False,
        timestamp=bar.time,
    )


def previous_closes(
    bars: Mapping[str, Sequence[Mapping[str, Any]]], today: date
) -> dict[str, float]:
    """Return each symbol's close of the last day before ``today``, New York's date.

    ``bars`` are rows of ``GET /v2/stocks/bars?timeframe=1Day&adjustment=split``, in any order.
    Rows of another form are passed over: a symbol without a usable row is absent.
    """
    closes = {}
    for symbol, rows in bars.items():
        days = [day for row in rows if (day := _close_of(row)) is not None and day[0] < today]
        if days:
            closes[symbol] = max(days)[1]
    return closes


def _close_of(row: Mapping[str, Any]) -> tuple[date, float] | None:
    try:
        bar = msgspec.convert(row, _Close)
        seconds = rfc3339.to_nanoseconds(bar.time) // 1_000_000_000
    except ValueError:  # msgspec's errors are such, too
        return None
    if not is_price(bar.close):
        return None
    return datetime.fromtimestamp(seconds, UTC).astimezone(NEW_YORK).date(), bar.close
