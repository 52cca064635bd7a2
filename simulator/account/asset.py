"""Tradable assets: stocks, options and crypto, and how each is spelled. Pure."""

import re
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from simulator.protocol.subscription import is_pair, is_symbol

AssetClass: TypeAlias = Literal["us_equity", "us_option", "crypto"]

_OPTION: Final = re.compile(r"[A-Z]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}", re.ASCII)
_PAIR: Final = re.compile(
    r"([A-Z0-9]{2,10})/(USDT|USDC|USD)|([A-Z0-9]{3,10})(USDT|USDC|USD)", re.ASCII
)
"""Stock symbols are shorter, so a pair can be recognised even if it has no slash."""

_NAMES: Final = MappingProxyType(
    {
        "AIG": "American International Group, Inc.",
        "BAC": "Bank of America Corporation",
        "IBM": "International Business Machines Corporation",
        "SPY": "SPDR S&P 500 ETF Trust",
    }
)
"""Those of the shipped tape; every other asset has its symbol as its name."""

_SHARES_OF_A_CONTRACT: Final = 100


@dataclass(frozen=True)
class Asset:
    """An asset that an account can hold.

    Orders and positions use `symbol` (BTCUSD), market data uses `market_symbol` (BTC/USD).
    `is_tradable` False: the account does not trade it.
    """

    symbol: str
    market_symbol: str
    asset_class: AssetClass
    is_tradable: bool = True

    @property
    def id(self) -> str:
        """Its UUID."""
        return str(uuid5(NAMESPACE_URL, f"simulator:{self.symbol}"))

    @property
    def exchange(self) -> str:
        """The exchange on which it trades: invented for stocks, empty for options."""
        return {"us_equity": "NYSE", "us_option": "", "crypto": "CRYPTO"}[self.asset_class]

    def shown(self) -> dict[str, object]:
        """Return it as `GET /v2/assets/{symbol}` shows it."""
        return {
            "id": self.id,
            "class": self.asset_class,
            "exchange": self.exchange,
            "symbol": self.market_symbol if self.asset_class == "crypto" else self.symbol,
            "name": _NAMES.get(self.symbol, self.symbol),
            "status": "active",
            "tradable": self.is_tradable,
            "marginable": True,
            "shortable": True,
            "easy_to_borrow": True,
            "fractionable": True,
        }

    @property
    def multiplier(self) -> Decimal:
        """Its value at a price of one dollar, in dollars."""
        return Decimal(_SHARES_OF_A_CONTRACT if self.asset_class == "us_option" else 1)


def asset_of(symbol: str) -> Asset:
    """Return the asset of a symbol; a pair may be spelled BTCUSD or BTC/USD.

    Raises:
        ValueError: the symbol is invalid; the text names it.
    """
    if _OPTION.fullmatch(symbol):
        return Asset(symbol, symbol, "us_option")
    if pair := _PAIR.fullmatch(symbol):
        base, quoted = (part for part in pair.groups() if part)
        return Asset(base + quoted, f"{base}/{quoted}", "crypto")
    if is_symbol(symbol):
        return Asset(symbol, symbol, "us_equity")
    raise ValueError(
        f"symbol is {symbol!r}, expected one such as BAC, BTC/USD, AAPL240119C00100000"
    )


def listed_asset(symbol: str) -> Asset:
    """Return the asset of a symbol; the account does not trade a pair that is not in dollars.

    Raises:
        ValueError: the symbol is invalid; the text names it.
    """
    if is_pair(symbol) and not _PAIR.fullmatch(symbol):
        return Asset(symbol.replace("/", ""), symbol, "crypto", is_tradable=False)
    return asset_of(symbol)
