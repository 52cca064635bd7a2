"""The filters and pages that the chain and the list of contracts share. Pure.

Sources: docs.alpaca.markets/reference/optionchain and …/get-options-contracts.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from simulator.options.contract import Contract
from simulator.protocol.option_feeds import is_option_symbol
from simulator.rest.historical import ParameterError

_TYPES: Final = ("call", "put")
_PAGE: Final = 100


@dataclass(frozen=True)
class ContractFilter:
    """The wanted contracts; None means any. Strikes are in dollars, all ends are included."""

    type: str | None = None
    root: str | None = None
    strike_from: Decimal | None = None
    strike_to: Decimal | None = None
    expires_on: date | None = None
    expires_from: date | None = None
    expires_to: date | None = None

    def allows(self, contract: Contract) -> bool:
        """Return whether a contract is wanted."""
        strike, expiration = contract.strike, contract.expiration
        return (
            self.type in (None, contract.type)
            and self.root in (None, contract.root)
            and self.expires_on in (None, expiration)
            and (self.strike_from is None or self.strike_from <= strike)
            and (self.strike_to is None or strike <= self.strike_to)
            and (self.expires_from is None or self.expires_from <= expiration)
            and (self.expires_to is None or expiration <= self.expires_to)
        )


def read_filter(query: Mapping[str, str]) -> ContractFilter:
    """Read the filters of a query.

    Raises:
        ParameterError: one is invalid.
    """
    return ContractFilter(
        type=read_choice(query, "type", _TYPES),
        root=query.get("root_symbol") or None,
        strike_from=_strike(query, "strike_price_gte"),
        strike_to=_strike(query, "strike_price_lte"),
        expires_on=_day(query, "expiration_date"),
        expires_from=_day(query, "expiration_date_gte"),
        expires_to=_day(query, "expiration_date_lte"),
    )


def read_choice(query: Mapping[str, str], name: str, allowed: Sequence[str]) -> str | None:
    """Read a parameter that has one of a few values; None if it is absent.

    Raises:
        ParameterError: it has another value.
    """
    value = query.get(name)
    if value and value not in allowed:
        raise ParameterError(f"invalid {name}: {value}")
    return value or None


def page_of(
    symbols: Sequence[str], query: Mapping[str, str], largest: int
) -> tuple[Sequence[str], str | None]:
    """Return a page of sorted symbols, and the token of the next page; None if it is the last.

    Raises:
        ParameterError: the token, or the limit of 1 to `largest`, is invalid.
    """
    limit = query.get("limit") or str(_PAGE)
    if not limit.isdecimal() or not 1 <= int(limit) <= largest:
        raise ParameterError(f"invalid limit: {limit}")
    first = _first(query.get("page_token"))
    left = [symbol for symbol in symbols if symbol >= first]
    page, rest = left[: int(limit)], left[int(limit) :]
    token = base64.urlsafe_b64encode(rest[0].encode()).decode() if rest else None
    return page, token


def _first(token: str | None) -> str:
    if not token:
        return ""
    try:
        symbol = base64.urlsafe_b64decode(token).decode()
        if is_option_symbol(symbol):
            return symbol
    except (binascii.Error, ValueError):
        pass
    raise ParameterError(f"invalid page_token: {token}")


def _strike(query: Mapping[str, str], name: str) -> Decimal | None:
    text = query.get(name)
    if not text:
        return None
    try:
        strike = Decimal(text)
    except InvalidOperation as error:
        raise ParameterError(f"invalid {name}: {text}") from error
    if not strike.is_finite():
        raise ParameterError(f"invalid {name}: {text}")
    return strike


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"invalid {name}: {text}") from error
