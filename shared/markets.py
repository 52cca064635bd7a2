"""Alpaca's markets, and the form of a symbol that determines its market: the one table of both.

Sources: https://docs.alpaca.markets/docs/real-time-stock-pricing-data and its neighbours for crypto
and options; the days of crypto's bars begin at midnight in Chicago, as the bars in the tests of
https://github.com/alpacahq/alpaca-trade-api-go show (``t`` 05:00Z in summer, 06:00Z in winter).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

MarketName = Literal["stocks", "crypto", "options"]


@dataclass(frozen=True, eq=False)
class Market:
    """A market of Alpaca's.

    ``form`` is that of its symbols, ``what`` a word for one with its article, and ``example`` one
    of them. ``asset_class`` is the broker's name. ``streams`` are the paths of its WebSockets by
    feed, ``rest`` is the path of its REST API; ``{feed}`` stands for the feed. ``day_zone``: its
    daily bars begin at midnight there. ``never_closes``: it has no sessions. ``ticks`` are the
    steps of a price: the smallest one, and pairs of a price and the step from it on.
    ``volume_decimals``: a size has so many.
    """

    name: MarketName
    form: re.Pattern[str]
    what: str
    example: str
    asset_class: str
    streams: Mapping[str, str]
    rest: str
    day_zone: ZoneInfo
    never_closes: bool
    ticks: tuple[float, ...]
    volume_decimals: int


_NEW_YORK = ZoneInfo("America/New_York")

# Letters first, digits in some, up to two dotted suffixes: BRK.B, BAC.PRB, units as ACAQ.U, and
# AAC.WS.A for a series of warrants. Escrow shares and contingent rights have symbols like CUSIPs:
# 628CVR016.
_STOCK = re.compile(r"([A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4}){0,2}|[0-9][A-Z0-9]{5,11})")

_PAIR = re.compile(r"[A-Z0-9]{2,10}/[A-Z]{3,5}")

# OCC's form with no padding: root, expiry, right, strike in thousandths of a dollar. After an
# adjustment of the contract its root ends in a digit: AAPL1261218C00100000.
_OPTION = re.compile(r"[A-Z]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}")

STOCKS = Market(
    name="stocks",
    form=_STOCK,
    what="a stock",
    example="SPY",
    asset_class="us_equity",
    streams=MappingProxyType(
        {
            **{feed: f"v2/{feed}" for feed in ("iex", "sip", "delayed_sip", "test")},
            **{feed: f"v1beta1/{feed}" for feed in ("boats", "overnight")},
        }
    ),
    rest="v2/stocks",
    day_zone=_NEW_YORK,
    never_closes=False,
    # A cent, and a hundredth of one below a dollar.
    ticks=(0.0001, 1, 0.01),
    volume_decimals=0,
)
CRYPTO = Market(
    name="crypto",
    form=_PAIR,
    what="a pair",
    example="BTC/USD",
    asset_class="crypto",
    streams=MappingProxyType({feed: f"v1beta3/crypto/{feed}" for feed in ("us", "us-1", "eu-1")}),
    rest="v1beta3/crypto/{feed}",
    day_zone=ZoneInfo("America/Chicago"),
    never_closes=True,
    # Alpaca has a step for each pair; these show the digits that count.
    ticks=(0.000000001, 0.01, 0.000001, 1, 0.0001, 1000, 0.01),
    volume_decimals=9,
)
OPTIONS = Market(
    name="options",
    form=_OPTION,
    what="an option",
    example="AAPL240119C00100000",
    asset_class="us_option",
    streams=MappingProxyType({feed: f"v1beta1/{feed}" for feed in ("indicative", "opra")}),
    rest="v1beta1/options",
    day_zone=_NEW_YORK,
    never_closes=False,
    ticks=(0.01,),
    volume_decimals=0,
)

MARKETS = (OPTIONS, CRYPTO, STOCKS)
"""All of them. An option of a short root would be a stock by its form, so options come first."""


@lru_cache(maxsize=1 << 16)
def market_of(symbol: str) -> Market | None:
    """Return the market of a symbol in its published spelling; None if it has no market's form."""
    return next((each for each in MARKETS if each.form.fullmatch(symbol)), None)
