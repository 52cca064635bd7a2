"""The ``status`` event: what may be expected of a symbol's price now."""

from typing import Literal

import msgspec

SymbolState = Literal["live", "quiet", "stale", "halted", "closed", "polled", "rejected"]


class SymbolStatus(msgspec.Struct, kw_only=True):
    """A symbol's state and why it is in it.

    ``live``: trades come. ``quiet``: nobody trades, the last price stands. ``stale``: trades
    happen, or may, that do not reach us. ``halted``: the exchange has stopped trading. ``closed``:
    the market has. ``polled``: beyond the plan's symbols, looked up every few seconds.
    ``rejected``: Alpaca does not know the symbol.

    ``reason`` is a sentence for people, ``since`` RFC 3339 in UTC. The JSON gets ``event_id`` when
    it is published.
    """

    symbol: str
    state: SymbolState
    reason: str | None
    since: str


encode = msgspec.json.Encoder().encode
