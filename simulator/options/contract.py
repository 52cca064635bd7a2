"""Option contracts, read from their symbols. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from simulator.protocol.option_feeds import OPTION_SYMBOL

ContractType: TypeAlias = Literal["call", "put"]

_TYPES: Final[dict[str, ContractType]] = {"C": "call", "P": "put"}
_LETTERS: Final[dict[ContractType, str]] = {"call": "C", "put": "P"}


@dataclass(frozen=True)
class Contract:
    """A contract; `strike` is in dollars, `expiration` its last day."""

    root: str
    expiration: date
    type: ContractType
    strike: Decimal

    @property
    def symbol(self) -> str:
        """Its symbol: the OCC's with no padding."""
        thousandths = int(self.strike * 1000)
        return f"{self.root}{self.expiration:%y%m%d}{_LETTERS[self.type]}{thousandths:08d}"

    @property
    def underlying(self) -> str:
        """The symbol of the stock; the root of an adjusted contract has one digit more."""
        return self.root.rstrip("0123456789")

    @property
    def name(self) -> str:
        """Its name, as in `AAPL Jun 20 2025 100 Call`."""
        strike = f"{self.strike.normalize():f}"
        return f"{self.root} {self.expiration:%b %d %Y} {strike} {self.type.capitalize()}"

    def moved(self, days: int) -> "Contract":
        """Return the contract that expires some days later."""
        return replace(self, expiration=self.expiration + timedelta(days=days))


def contract_of(symbol: str) -> Contract:
    """Return the contract of a symbol.

    Raises:
        ValueError: it is none; the text names it.
    """
    match = OPTION_SYMBOL.fullmatch(symbol)
    if match is None:
        raise ValueError(f"symbol is {symbol!r}, expected one such as SPY230901C00470000")
    root, expiry, letter, strike = match.groups()
    try:
        expiration = date(2000 + int(expiry[:2]), int(expiry[2:4]), int(expiry[4:]))
    except ValueError as error:
        raise ValueError(f"symbol is {symbol!r}, whose expiry is no date") from error
    return Contract(root, expiration, _TYPES[letter], Decimal(strike) / 1000)
