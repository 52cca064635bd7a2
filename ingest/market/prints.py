"""Prints and their later fate, in our own terms: every vendor's messages become these.

Times are the exchange's, in unix nanoseconds. Prices and sizes are as received.
"""

import math
from typing import Protocol, TypeAlias

import msgspec

TradeId: TypeAlias = int | str
"""The vendor's id, compared but never computed with. With Alpaca it starts again each day, and the
facilities of FINRA's ``D`` number independently: with symbol, exchange and time it is unique."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A print. ``conditions`` are the sale conditions of its ``tape`` (see ``conditions``).

    ``size`` is None if the vendor's cannot be read.
    """

    symbol: str
    price: float
    size: float | None
    at_ns: int
    id: TradeId | None
    exchange: str | None
    conditions: tuple[str, ...] | None
    tape: str | None
    taker_side: str | None = None
    """Of a pair: ``B`` if the buyer took an offer, ``S`` if the seller hit a bid."""


class StreamedPrint(Protocol):
    """The values of a print as a message of the stream has them; its time is given beside it.

    Nearly every print becomes an event at once and is not kept, so it is not copied first.
    """

    @property
    def symbol(self) -> str:
        """The symbol."""

    @property
    def price(self) -> float:
        """The price."""

    @property
    def size(self) -> float | None:
        """The size; None if it cannot be read."""

    @property
    def id(self) -> TradeId | None:
        """The vendor's id."""

    @property
    def exchange(self) -> str | None:
        """The exchange's code."""

    @property
    def conditions(self) -> tuple[str, ...] | None:
        """The sale conditions."""

    @property
    def tape(self) -> str | None:
        """The tape's code."""

    @property
    def taker_side(self) -> str | None:
        """The code of the side that took the other's order."""


class Correction(msgspec.Struct, frozen=True, gc=False):
    """A print's correct values. ``at_ns`` is the time of the correction, not of the print.

    ``print_at_ns`` is the print's own time. REST's rows give it, the stream's messages do not.
    """

    symbol: str
    original_id: TradeId
    original_price: float | None
    original_size: float | None
    id: TradeId
    price: float
    size: float | None
    at_ns: int
    exchange: str | None
    conditions: tuple[str, ...] | None
    tape: str | None
    print_at_ns: int | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """The withdrawal of a print. ``action``: ``C`` cancelled, ``E`` an error.

    ``at_ns`` is the time of the withdrawal, not of the print. ``print_at_ns`` is the print's own
    time. REST's rows give it, the stream's messages do not.
    """

    symbol: str
    id: TradeId
    price: float | None
    size: float | None
    at_ns: int
    exchange: str | None
    action: str | None
    tape: str | None
    print_at_ns: int | None = None


def print_of(streamed: StreamedPrint, at_ns: int) -> Trade:
    """Return a streamed print as one to keep; ``at_ns`` is its time."""
    return Trade(
        streamed.symbol,
        streamed.price,
        streamed.size,
        at_ns,
        streamed.id,
        streamed.exchange,
        streamed.conditions,
        streamed.tape,
        streamed.taker_side,
    )


def is_price(price: float) -> bool:
    """Return whether a number can be a price: above zero and finite."""
    return 0 < price < math.inf


def is_size(size: float | None) -> bool:
    """Return whether a print can have a size: None, zero (a corrected close), or above."""
    return size is None or 0 <= size < math.inf
