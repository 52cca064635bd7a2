"""The events of a symbol's tape: prints, their corrections and their cancels."""

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

TakerSide: TypeAlias = Literal["buy", "sell"]

CORRECTION = "correction"
CANCEL = "cancel"
"""The names of the events that are no prints."""


class Trade(msgspec.Struct, kw_only=True):
    """A print. ``eligible``: its sale conditions allow it to set the last price.

    ``id`` is text because ids exceed the integers of JavaScript. It starts again each day, and the
    facilities of FINRA's ``D`` number their prints independently: with ``timestamp`` it names one
    print of its symbol and exchange. ``size`` is null if Alpaca's cannot be read. The JSON gets
    ``event_id`` when it is published.
    """

    symbol: str
    id: str | None
    price: float
    size: float | None
    exchange: str | None
    conditions: tuple[str, ...]
    tape: str | None
    eligible: bool
    timestamp: str
    received: int
    taker_side: TakerSide | UnsetType | None = UNSET
    """Of a pair alone: whether the buyer or the seller took the other's order; null if unknown."""
    delayed: bool | UnsetType = UNSET
    """True if the feed shows its trades fifteen minutes late; otherwise it is absent."""


class Correction(msgspec.Struct, kw_only=True):
    """The corrected values of a print.

    ``original_id``, ``original_price`` and ``original_size`` name the print as it was.
    ``original_timestamp`` is its own time, which the corrected print keeps; None if it is unknown.
    ``timestamp`` is the time of the correction.
    """

    symbol: str
    original_id: str
    original_price: float | None = None
    original_size: float | None = None
    original_timestamp: str | None = None
    id: str
    price: float
    size: float | None
    exchange: str | None
    conditions: tuple[str, ...]
    tape: str | None
    timestamp: str
    received: int


class Cancel(msgspec.Struct, kw_only=True):
    """The cancel of a print, which the fields ``original_…`` name as in ``Correction``.

    ``action``: ``C`` cancelled, ``E`` an error, None if a corrected print replaces it.
    ``timestamp`` is the time of the cancel.
    """

    symbol: str
    original_id: str
    original_price: float | None = None
    original_size: float | None = None
    original_timestamp: str | None = None
    action: str | None
    exchange: str | None
    tape: str | None
    timestamp: str
    received: int


Withdrawal: TypeAlias = Cancel | Correction
"""An event after which its original print does not stand."""

encode = msgspec.json.Encoder().encode
