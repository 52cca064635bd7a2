"""Alpaca's messages about options, decoded into the types of the stocks' messages.

Source: https://docs.alpaca.markets/docs/real-time-option-data. ``c`` is one text and not a list,
and trades have neither an id nor a tape.
"""

from typing import Any

import msgspec

from ingest.alpaca.bounds import Code, Number, Price, Symbol
from ingest.alpaca.decoder import FrameDecoder
from ingest.alpaca.messages import Error, Quote, Subscribed, Success, Trade


class _OptionTrade(msgspec.Struct, tag_field="T", tag="t", gc=False, rename={"symbol": "S",
                   "price": "p", "size": "s", "time": "t", "exchange": "x",
                   "condition": "c"}):  # fmt: skip
    symbol: Symbol
    price: Price
    time: msgspec.msgpack.Ext
    size: Number = None  # type: ignore[assignment]  # null is another form, and counted as one
    exchange: Code | None = None
    condition: Code | None = None


class _OptionQuote(msgspec.Struct, tag_field="T", tag="q", gc=False, rename={"symbol": "S",
                   "bid": "bp", "bid_size": "bs", "bid_exchange": "bx", "ask": "ap",
                   "ask_size": "as", "ask_exchange": "ax", "time": "t",
                   "condition": "c"}):  # fmt: skip
    symbol: Symbol
    time: msgspec.msgpack.Ext
    bid: Number = 0
    bid_size: Number = 0
    ask: Number = 0
    ask_size: Number = 0
    bid_exchange: Code | None = None
    ask_exchange: Code | None = None
    condition: Code | None = None


_decode = FrameDecoder([_OptionTrade, _OptionQuote], [Subscribed, Error, Success]).decode


def decode(frame: bytes | str) -> list[Any]:
    """Return the messages of a frame, each a ``messages.Message``.

    Raises:
        BadFrameError: it is not a msgpack array.
    """
    return list(map(_as_stocks, _decode(frame)))


def _as_stocks(message: Any) -> Any:
    match message:
        case _OptionTrade():
            return Trade(
                message.symbol,
                message.price,
                message.time,
                message.size,
                exchange=message.exchange,
                conditions=_codes(message.condition),
            )
        case _OptionQuote():
            return Quote(
                message.symbol,
                message.time,
                message.bid,
                message.bid_size,
                message.ask,
                message.ask_size,
                message.bid_exchange,
                message.ask_exchange,
                _codes(message.condition),
            )
    return message


def _codes(condition: str | None) -> tuple[str, ...] | None:
    return None if condition is None else (condition,)
