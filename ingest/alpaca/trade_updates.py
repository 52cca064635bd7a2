"""The messages of the account's stream, decoded into types.

Source: https://docs.alpaca.markets/docs/websocket-streaming. The paper host sends the text in
binary frames. Numbers are text; fields that this project does not read are left out.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from ingest.alpaca.messages import BadFrameError

CHANNEL = "trade_updates"


class Order(msgspec.Struct, kw_only=True):
    """An order after the event; also a row of ``GET /v2/orders``."""

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
    submitted_at: str | None = None
    updated_at: str | None = None


class TradeUpdate(msgspec.Struct, kw_only=True):
    """An update of an order; executions include ``price qty position_qty``."""

    event: str
    order: Order
    timestamp: str | None = None
    at: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    execution_id: str | None = None


class Authorization(msgspec.Struct):
    """The response to the keys: ``authorized`` or not."""

    status: str = ""


class Listening(msgspec.Struct):
    """The response to ``listen``: all streams listened to."""

    streams: list[str] = []


class Error(msgspec.Struct, rename={"text": "error_message"}):
    """The end of the connection follows."""

    text: str = "an error without a message"


class Unknown(msgspec.Struct, frozen=True):
    """A message of an unknown stream."""

    kind: str


class Malformed(msgspec.Struct, frozen=True):
    """A message of a known kind in another form."""

    kind: str
    problem: str


Message: TypeAlias = TradeUpdate | Authorization | Listening | Error | Unknown | Malformed

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
    """Return the one message of a frame.

    Raises:
        BadFrameError: it is not a JSON object.
    """
    try:
        envelope = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrameError(f"{len(frame)} bytes that are no message: {error}") from error
    kind = envelope.stream or envelope.action
    form = _KINDS.get(kind)
    if form is None:
        return [Unknown(kind)]
    try:
        return [msgspec.convert(envelope.data, form, strict=False)]
    except msgspec.ValidationError as error:
        return [Malformed(kind, str(error))]


def read_order(row: Any) -> Order:
    """Decode a row of ``GET /v2/orders``.

    Raises:
        ValueError: the row has another form.
    """
    return msgspec.convert(row, Order, strict=False)
