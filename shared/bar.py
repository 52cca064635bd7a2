"""The ``bar.…`` events: a symbol's trading over a span of time."""

from types import MappingProxyType
from typing import Literal

import msgspec

from shared import topics

Timeframe = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
"""The spans of bars. All but days are aligned to the clock in UTC; a day is New York's."""

KINDS = MappingProxyType[Timeframe, str](
    {
        "1Min": topics.MINUTE_BAR,
        "5Min": topics.FIVE_MINUTE_BAR,
        "15Min": topics.FIFTEEN_MINUTE_BAR,
        "1Hour": topics.HOUR_BAR,
        "1Day": topics.DAY_BAR,
    }
)
"""The kind of the topics with the bars of each span."""

RUNNING = "running"
"""The name of a running bar's message in Redis. On streams all bars are named after their kind."""

RELOAD = "reload"
"""The name of the event that asks clients to read a topic's bars again."""

ReloadReason = Literal["split", "filled"]


class Bar(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``timestamp`` is the start of the bar, RFC 3339; ``volume`` in shares.

    A running bar's span has not ended: ``revision`` 0, ``final`` false. ``revision`` numbers the
    versions of an ended bar from 0; ``final``: no change of it is expected any more, though one may
    come. ``late``: the first version of a bar that is older than one that the topic has shown; it
    is absent if false. ``partial``: trades are missing that REST could not give, or has not given
    yet; it is absent if false. Every event holds the whole bar. The JSON gets ``event_id`` when it
    is published.
    """

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None
    vwap: float | None
    revision: int
    final: bool
    timestamp: str
    late: bool = False
    partial: bool = False


class Reload(msgspec.Struct, kw_only=True):
    """Bars of before have changed, and no event has said so: read ``/api/bars`` again.

    ``split``: their prices have another scale. ``filled``: bars that were missing are there.
    ``timestamp`` is the time of the change, RFC 3339.
    """

    symbol: str
    timeframe: Timeframe
    reason: ReloadReason
    timestamp: str


encode = msgspec.json.Encoder().encode
