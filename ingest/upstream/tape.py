"""The events of the tape: what the wire's prints, corrections and cancels become."""

from ingest.alpaca import messages as wire
from shared import rfc3339
from shared.trade import Cancel, Correction, Trade


def print_event(trade: wire.Trade, received_us: int, *, eligible: bool) -> Trade:
    """Return the ``trade`` event of a print."""
    return Trade(
        symbol=trade.symbol,
        id=None if trade.id is None else str(trade.id),
        price=trade.price,
        size=trade.size,
        exchange=trade.exchange,
        conditions=trade.conditions or (),
        tape=trade.tape,
        eligible=eligible,
        timestamp=rfc3339.from_nanoseconds(wire.nanoseconds(trade.time)),
        received=received_us,
    )


def correction_event(correction: wire.Correction, received_us: int) -> Correction:
    """Return the ``correction`` event."""
    return Correction(
        symbol=correction.symbol,
        original_id=str(correction.original_id),
        id=str(correction.id),
        price=correction.price,
        size=correction.size,
        exchange=correction.exchange,
        conditions=correction.conditions or (),
        tape=correction.tape,
        timestamp=rfc3339.from_nanoseconds(wire.nanoseconds(correction.time)),
        received=received_us,
    )


def cancel_event(cancel: wire.Cancel, received_us: int) -> Cancel:
    """Return the ``cancel`` event."""
    return Cancel(
        symbol=cancel.symbol,
        original_id=str(cancel.id),
        action=cancel.action,
        exchange=cancel.exchange,
        tape=cancel.tape,
        timestamp=rfc3339.from_nanoseconds(wire.nanoseconds(cancel.time)),
        received=received_us,
    )
