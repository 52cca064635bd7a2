"""The chain of an underlying: its option contracts, each with its newest values at REST."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from shared.markets import OPTIONS

ContractType: TypeAlias = Literal["call", "put"]

_TYPES: Mapping[str, ContractType] = MappingProxyType({"C": "call", "P": "put"})


class OptionContract(msgspec.Struct, kw_only=True):
    """A contract. Prices are dollars for one unit of the underlying, times RFC 3339.

    ``implied_volatility`` and the greeks are Alpaca's (Black-Scholes; 0.25 is 25 % a year). They
    are null if Alpaca has none: on the day of expiry, or if bid or ask is absent. ``theta`` is the
    change a day, ``vega`` and ``rho`` are those for one percentage point. ``volume`` is that of
    ``volume_day``, the newest day (New York) on which the contract was traded.
    """

    symbol: str
    type: ContractType
    expiration: str
    strike: float
    price: float | None = None
    size: float | None = None
    traded_at: str | None = None
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    quoted_at: str | None = None
    implied_volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None
    volume: float | None = None
    volume_day: str | None = None
    previous_close: float | None = None


class Terms(NamedTuple):
    """The terms that a contract's symbol states; ``strike`` is in dollars."""

    type: ContractType
    expiration: date
    strike: float


def terms_of(symbol: str) -> Terms:
    """Return the terms in a contract's symbol, the OCC's with no padding.

    Raises:
        ValueError: it is no such symbol, or its expiry is no date.
    """
    if not OPTIONS.form.fullmatch(symbol):
        raise ValueError(f"{symbol[:40]!r} is not an option such as {OPTIONS.example}")
    expiry, letter, strike = symbol[-15:-9], symbol[-9], symbol[-8:]
    expiration = date(2000 + int(expiry[:2]), int(expiry[2:4]), int(expiry[4:]))
    return Terms(_TYPES[letter], expiration, int(strike) / 1000)
