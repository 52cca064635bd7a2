"""The messages of the account's stream, decoded into types.

Source: https://docs.alpaca.markets/docs/websocket-streaming. The paper host sends the text in
binary frames. Numbers are text; fields that this project does not read are left out.
An optional field of another form costs the field and not the message. Times are text here.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

import msgspec

from ingest.alpaca.bounds import LARGEST_AMOUNT, is_amount, no_amounts
from ingest.alpaca.tolerant import bounded, fields_of, leniently, read_object
from ingest.alpaca.unreadable import BadFrameError, LostFields, Malformed, Unknown

CHANNEL = "trade_updates"

TEXT_CHARACTERS = 1_000
ITEMS_AT_MOST = 100
"""Of legs or positions in one update: a multi-leg order has up to four."""

_Form = TypeVar("_Form", bound=msgspec.Struct)


class Leg(msgspec.Struct, kw_only=True):
    """An order within an order; ``ratio_qty`` is its part in a multi-leg order."""

    id: str
    client_order_id: str | None = None
    symbol: str | None = None
    asset_class: str | None = None
    order_class: str | None = None
    type: str | None = None
    side: str | None = None
    time_in_force: str | None = None
    status: str | None = None
    qty: float | None = None
    notional: float | None = None
    filled_qty: float | None = None
    filled_avg_price: float | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    hwm: float | None = None
    ratio_qty: float | None = None
    position_intent: str | None = None
    extended_hours: bool | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    submitted_at: str | None = None
    updated_at: str | None = None
    filled_at: str | None = None
    canceled_at: str | None = None
    expired_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None


class Order(Leg, kw_only=True):
    """An order after the event; also a row of ``GET /v2/orders``.

    ``symbol`` is empty for a multi-leg order. A bracket, OCO or OTO order also has legs.
    """

    legs: list[Leg] | None = None


class FilledLeg(msgspec.Struct, kw_only=True):
    """The execution of one leg of a multi-leg order."""

    symbol: str
    order_id: str | None = None
    execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    timestamp: str | None = None


class TradeUpdate(msgspec.Struct, kw_only=True):
    """An update of an order; executions include ``price qty position_qty``.

    Those of a multi-leg order include ``price qty position_qtys legs``; ``position_qtys`` are the
    positions after it by symbol.
    """

    event: str
    order: Order
    timestamp: str | None = None
    at: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    execution_id: str | None = None
    position_qtys: dict[str, Decimal] | None = None
    legs: list[FilledLeg] | None = None


class Authorization(msgspec.Struct):
    """The response to the keys: ``authorized`` or not."""

    status: str = ""


class Listening(msgspec.Struct):
    """The response to ``listen``: all streams listened to, and why others are left out."""

    streams: list[str] = []
    error: str | None = None


class Error(msgspec.Struct, rename={"text": "error_message"}):
    """The end of the connection follows."""

    text: str = "an error without a message"


Message: TypeAlias = (
    TradeUpdate | Authorization | Listening | Error | Unknown | Malformed | LostFields
)

_KINDS: Mapping[str, type[TradeUpdate | Authorization | Listening | Error]] = {
    CHANNEL: TradeUpdate,
    "authorization": Authorization,
    "listening": Listening,
    "error": Error,
}


class _Envelope(msgspec.Struct):
    stream: str = ""
    action: str = ""
    data: Any = None


_decode = msgspec.json.Decoder(_Envelope).decode


def decode(frame: bytes | str) -> list[Message]:
    """Return the one message of a frame, and ``LostFields`` for each of its unreadable fields.

    Raises:
        BadFrameError: it is not a JSON object.
    """
    try:
        envelope = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrameError(f"{len(frame)} bytes that are no message: {error}") from error
    except RecursionError as error:
        return [Malformed("", str(error))]
    kind = envelope.stream or envelope.action
    form = _KINDS.get(kind)
    if form is None:
        return [Unknown(kind)]
    problems: list[str] = []
    try:
        message = _read(envelope.data, form, problems)
    except ValueError as error:
        return [Malformed(kind, bounded(error))]
    return [message, *(LostFields(kind, problem) for problem in problems)]


def read_order(row: Any) -> tuple[Order, list[str]]:
    """Decode a row of ``GET /v2/orders``; the problems of its unreadable fields come with it.

    Raises:
        ValueError: the row has another form.
    """
    problems: list[str] = []
    return _read(row, Order, problems), problems


def _read(data: Any, form: type[_Form], problems: list[str]) -> _Form:
    """Decode an object within its bounds; the problems of optional fields are added to a list.

    Raises:
        ValueError: it has another form.
    """
    message, unreadable = read_object(data, form, leniently)
    problems += unreadable
    _check_bounds(message, problems)
    return message


def _check_bounds(part: msgspec.Struct, problems: list[str]) -> None:
    """Drop numbers and texts of an order that are too large.

    Raises:
        ValueError: an execution has such a number, or a field with no default such a text.
    """
    # REST reports the outcome of a fill whose price or quantity no market has.
    for name in no_amounts(part):
        raise ValueError(f"{name} cannot be a price or a quantity")
    for field in fields_of(type(part)):
        value = getattr(part, field.name)
        if isinstance(value, msgspec.Struct):
            _check_bounds(value, problems)
        elif isinstance(value, list | dict):
            _check_items(value, problems)
        elif isinstance(value, float | str) and not _is_within_bounds(value):
            if field.required:
                raise ValueError(f"{field.name} is too long")
            problems.append(f"{field.name} is out of bounds")
            setattr(part, field.name, field.default)


def _check_items(items: list[Any] | dict[str, Any], problems: list[str]) -> None:
    if len(items) > ITEMS_AT_MOST:
        raise ValueError(f"{len(items)} items are too many")
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, msgspec.Struct):
            _check_bounds(item, problems)
        elif isinstance(item, Decimal) and not is_amount(item):
            raise ValueError("a position's quantity cannot be one")


def _is_within_bounds(value: float | str) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT_CHARACTERS
    return abs(value) < LARGEST_AMOUNT  # false for NaN
