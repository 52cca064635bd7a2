"""Prints, corrections and cancels as the events of the ``trade`` topic."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import UNSET

from ingest.market.prints import Cancel, Correction, Trade
from shared import rfc3339, trade
from shared.markets import CRYPTO, market_of
from shared.trade import TakerSide

_SIDES: Mapping[str | None, TakerSide] = MappingProxyType({"B": "buy", "S": "sell"})


def print_event(
    print_: Trade, received_us: int, *, eligible: bool, delayed: bool = False
) -> trade.Trade:
    """Return the ``trade`` event of a print."""
    event = trade.Trade(
        symbol=print_.symbol,
        id=None if print_.id is None else str(print_.id),
        price=print_.price,
        size=print_.size,
        exchange=print_.exchange,
        conditions=print_.conditions or (),
        tape=print_.tape,
        eligible=eligible,
        timestamp=rfc3339.from_nanoseconds(print_.at_ns),
        received=received_us,
        delayed=delayed or UNSET,
    )
    if market_of(print_.symbol) is CRYPTO:
        event.taker_side = _SIDES.get(print_.taker_side)
    return event


def correction_event(correction: Correction, received_us: int) -> trade.Correction:
    """Return the ``correction`` event."""
    return trade.Correction(
        symbol=correction.symbol,
        original_id=str(correction.original_id),
        original_price=correction.original_price,
        original_size=correction.original_size,
        original_timestamp=_text(correction.print_at_ns),
        id=str(correction.id),
        price=correction.price,
        size=correction.size,
        exchange=correction.exchange,
        conditions=correction.conditions or (),
        tape=correction.tape,
        timestamp=rfc3339.from_nanoseconds(correction.at_ns),
        received=received_us,
    )


def cancel_event(cancel: Cancel, received_us: int) -> trade.Cancel:
    """Return the ``cancel`` event."""
    return trade.Cancel(
        symbol=cancel.symbol,
        original_id=str(cancel.id),
        original_price=cancel.price,
        original_size=cancel.size,
        original_timestamp=_text(cancel.print_at_ns),
        action=cancel.action,
        exchange=cancel.exchange,
        tape=cancel.tape,
        timestamp=rfc3339.from_nanoseconds(cancel.at_ns),
        received=received_us,
    )


def _text(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339.from_nanoseconds(at_ns)
