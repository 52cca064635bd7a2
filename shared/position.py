"""The ``position`` event: an open position at its newest price, with all fields each time."""

from typing import Literal

import msgspec

PriceSource = Literal["trade", "broker"]


class Position(msgspec.Struct, kw_only=True):
    """The position in one symbol, in the account's currency; negative when sold short.

    Money is rounded to cents, ratios are fractions (0.2 = 20 %). ``current_price`` is the last
    price of the tape, or the broker's own if the tape has no usable one (``price_source``);
    ``timestamp`` is the exchange's time of the tape's price. ``as_of``: the time at which the
    broker last confirmed quantity and cost. The JSON gets ``event_id`` when it is published.
    """

    symbol: str
    asset_class: str | None = None
    """``us_equity``, ``us_option`` or ``crypto``, as reported by the broker."""
    qty: float | None = None
    side: Literal["long", "short"] | None = None
    avg_entry_price: float | None = None
    current_price: float | None = None
    price_source: PriceSource | None = None
    lastday_price: float | None = None
    change_today: float | None = None
    market_value: float | None = None
    cost_basis: float | None = None
    unrealized_pl: float | None = None
    unrealized_plpc: float | None = None
    unrealized_intraday_pl: float | None = None
    unrealized_intraday_plpc: float | None = None
    timestamp: str | None = None
    as_of: str | None = None
    reason: str | None = None
    """The reason why there is no price, or why it is not the tape's: a sentence for people."""
    removed: bool = False
    """The position was closed; all fields but ``symbol`` and ``as_of`` are null."""


encode = msgspec.json.Encoder().encode
