"""The ``account`` event: the account's value at the newest prices."""

from typing import Literal

import msgspec

BrokerState = Literal["unknown", "live", "stale"]


class Account(msgspec.Struct, kw_only=True):
    """The account's money, rounded to cents, in ``currency``.

    ``equity`` is cash plus market values; ``day_pl`` is its difference from ``last_equity``, the
    equity at the previous close; ``day_plpc`` is a fraction of that. ``buying_power`` is the
    broker's, as of its last report. ``partial``: the totals exclude the positions in ``unpriced``,
    or the broker's own totals contradict its positions. The JSON gets ``event_id`` when it is
    published.
    """

    state: BrokerState
    """``unknown``: the broker has not reported yet, and all other fields are null or empty;
    ``stale``: fills may be missing, because the broker is unreachable or contradicts itself;
    ``live``: neither."""
    reason: str | None = None
    """The reason why it is not live, or partial with nothing unpriced: a sentence for people."""
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
    """The time at which the broker's figures were read."""


encode = msgspec.json.Encoder().encode
