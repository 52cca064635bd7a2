"""The JSON of ``/api/udf``, named as TradingView's Universal Data Feed names it."""

from typing import Literal

import msgspec

from shared.asset import Asset, AssetType
from shared.bar import Timeframe
from shared.markets import CRYPTO, Market

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

ALWAYS = "24x7"

_STOCK: AssetType = "stock"
_PAIR: AssetType = "crypto"


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

    A stock's session is New York's day from the pre-market to the end of the post-market. The bars
    of an hour begin at the full hour, and the library counts hours from the session's beginning.
    """

    name: str
    ticker: str
    full_name: str
    description: str
    exchange: str = ""
    listed_exchange: str = ""
    type: AssetType = _STOCK
    currency_code: str = "USD"
    session: str = "0400-2000"
    timezone: str = "America/New_York"
    format: str = "price"
    minmov: int = 1
    pricescale: int = 100
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
    type: AssetType = _STOCK


class UdfHistory(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Bars, oldest first: start (unix s; of a day, midnight in UTC), prices, volume.

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


def symbol_of(symbol: str, market: Market, asset: Asset | None) -> UdfSymbol:
    """Return what is known of a symbol; ``asset`` is None if the list of assets lacks it."""
    name = exchange = ""
    if asset is not None:
        name, exchange = asset.name, asset.exchange
    known = UdfSymbol(
        symbol,
        symbol,
        symbol,
        name or symbol,
        exchange,
        exchange,
        variable_tick_size=" ".join(f"{each:.9f}".rstrip("0").rstrip(".") for each in market.ticks),
        timezone=market.day_zone.key,
        volume_precision=market.volume_decimals,
    )
    if market is CRYPTO:
        known.type, known.session = _PAIR, ALWAYS
        known.currency_code = symbol.partition("/")[2]
    return known


def found(symbol: str, market: Market, name: str = "", exchange: str = "") -> UdfFound:
    """Return a result of a search; its description is the name, if that is known."""
    type_ = _PAIR if market is CRYPTO else _STOCK
    return UdfFound(symbol, symbol, name or symbol, symbol, exchange, type_)
