"""The JSON of ``/api/udf``, named as TradingView's Universal Data Feed names it."""

from typing import Literal

import msgspec

from shared.asset import Asset
from shared.bar import Timeframe

Resolution = Literal["1", "5", "15", "60", "D", "1D"]
"""Minutes, or a day; older versions of the library write ``D``."""

TIMEFRAMES: dict[Resolution, Timeframe] = {
    "1": "1Min",
    "5": "5Min",
    "15": "15Min",
    "60": "1Hour",
    "D": "1Day",
    "1D": "1Day",
}

INTRADAY = ("1", "5", "15", "60")
RESOLUTIONS = (*INTRADAY, "1D")

STOCK = "stock"


class UdfConfig(msgspec.Struct):
    """What the feed can do."""

    supported_resolutions: tuple[str, ...] = RESOLUTIONS
    supports_search: bool = True
    supports_group_request: bool = False
    supports_marks: bool = False
    supports_timescale_marks: bool = False
    supports_time: bool = True


class UdfSymbol(msgspec.Struct):
    """A symbol. If the list of assets lacks it, only its form has been checked.

    The session is New York's day from the pre-market to the end of the post-market. The bars of
    an hour begin at the full hour, and the library counts hours from the session's beginning.
    """

    name: str
    ticker: str
    full_name: str
    description: str
    exchange: str = ""
    listed_exchange: str = ""
    type: str = STOCK
    currency_code: str = "USD"
    session: str = "0400-2000"
    timezone: str = "America/New_York"
    format: str = "price"
    minmov: int = 1
    pricescale: int = 100
    # The smallest step of a price is a cent, and a hundredth of one below a dollar.
    variable_tick_size: str = "0.0001 1 0.01"
    has_intraday: bool = True
    intraday_multipliers: tuple[str, ...] = INTRADAY
    has_daily: bool = True
    has_weekly_and_monthly: bool = False
    has_empty_bars: bool = False
    supported_resolutions: tuple[str, ...] = RESOLUTIONS
    volume_precision: int = 0
    data_status: str = "streaming"


class UdfFound(msgspec.Struct):
    """A symbol that a search has found."""

    symbol: str
    full_name: str
    description: str
    ticker: str
    exchange: str = ""
    type: str = STOCK


class UdfHistory(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Bars, oldest first: start (unix s; of a day, midnight in UTC), prices, volume in shares.

    ``no_data`` has none of the columns. Its ``nextTime`` is the start of the newest bar before the
    range; it is absent if there is none.
    """

    s: Literal["ok", "no_data"]
    t: list[int] = []
    o: list[float] = []
    h: list[float] = []
    l: list[float] = []  # noqa: E741 - the protocol's name
    c: list[float] = []
    v: list[float] = []
    next_time: int | None = msgspec.field(default=None, name="nextTime")


def symbol_of(symbol: str, asset: Asset | None) -> UdfSymbol:
    """Return what is known of a symbol; ``asset`` is None if the list of assets lacks it."""
    if asset is None:
        return UdfSymbol(symbol, symbol, symbol, symbol)
    name, exchange = asset.name or symbol, asset.exchange
    return UdfSymbol(symbol, symbol, symbol, name, exchange, exchange)


def found(symbol: str, name: str = "", exchange: str = "") -> UdfFound:
    """Return a result of a search; its description is the name, if that is known."""
    return UdfFound(symbol, symbol, name or symbol, symbol, exchange)
