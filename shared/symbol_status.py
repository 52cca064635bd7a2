"""The ``status`` event: how far a symbol's price can be trusted now."""

from typing import Literal

import msgspec

SymbolState = Literal["live", "quiet", "stale", "halted", "closed", "polled", "rejected"]


class SymbolStatus(msgspec.Struct, kw_only=True):
    """A symbol's state and the reason for it.

    ``live``: trades arrive. ``quiet``: there are no trades, so the last price is still valid.
    ``stale``: trades may exist that do not reach us. A gateway says so itself of a symbol that it
    cannot claim. ``halted``: the exchange has stopped trading.
    ``closed``: the market is closed. ``polled``: beyond the plan's symbols, or rejected by the
    stream; polled by REST. ``rejected``: Alpaca does not know the symbol.

    ``reason`` is a sentence for people, ``since`` RFC 3339 in UTC. ``notice``: the exchange's
    newest trading status of the session in words, unless it is the halt that ``reason`` describes.
    ``short_sale_restricted``: whether the exchange restricts short sales, null if it has not been
    reported; ``short_sale_as_of`` is the time of the report, RFC 3339. The JSON gets ``event_id``
    when it is published.
    """

    symbol: str
    state: SymbolState
    reason: str | None
    since: str
    notice: str | None = None
    short_sale_restricted: bool | None = None
    short_sale_as_of: str | None = None


encode = msgspec.json.Encoder().encode
