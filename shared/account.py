"""The ``account`` event: what the account is worth at the newest prices."""

from typing import Literal

import msgspec

BrokerState = Literal["unknown", "live", "stale"]


class Account(msgspec.Struct, kw_only=True):
    """The account's money, rounded to cents, in ``currency``.

    ``equity`` is cash and market values; ``day_pl`` its difference to ``last_equity``, the equity
    at the close before, ``day_plpc`` a fraction of that. ``buying_power`` is the broker's, as of
    its last report. ``partial``: the sums lack the positions in ``unpriced``. The JSON gets
    ``event_id`` when it is published.
    """

    state: BrokerState
    """``unknown``: the broker has not reported yet, and everything else is null or empty;
    ``stale``: it cannot be reached now, so fills may be missing; ``live``: neither."""
    reason: str | None = None
    """Why it is not live; a sentence for people."""
    currency: str | None = None
    equity: float | None = None
    last_equity: float | None = None
    day_pl: float | None = None
    day_plpc: float | None = None
    cash: float | None = None
    buying_power: float | None = None
    long_market_value: float | None = None
    short_market_value: float | None = None
    unrealized_pl: float | None = None
    unrealized_intraday_pl: float | None = None
    positions: list[str] = []
    """The symbols of all open positions, sorted."""
    unpriced: list[str] = []
    partial: bool = False
    as_of: str | None = None
    """When the broker's figures were read."""


encode = msgspec.json.Encoder().encode
