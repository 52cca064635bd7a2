"""The report that the leading ingest publishes every second: the condition of the upstream."""

from typing import Literal

import msgspec

from shared.alarm import Alarm

FeedState = Literal["connecting", "live", "reconnecting", "failed"]
Session = Literal["pre", "regular", "post", "overnight", "closed", "unknown"]


class StreamStatus(msgspec.Struct, kw_only=True):
    """One of Alpaca's streams: ``stocks``, ``account``, or ``news`` once a client watched it."""

    name: str
    state: FeedState
    reason: str | None
    since: str
    reconnects: int


class TapeCounts(msgspec.Struct, kw_only=True):
    """Counts of the stock stream's messages since this process started to lead.

    ``ineligible``: trades whose sale conditions exclude them from the last price. ``late``: older
    than the last price. ``repeated``: streamed again, or after REST or the leader before had shown
    them. ``quarantined``: outside sessions or far off the market. ``unsubscribed``:
    for symbols that are not subscribed. ``unknown_conditions`` by ``tape:code``,
    ``unknown_messages`` by ``T``, ``unknown_statuses`` by ``tape:code``. ``late_reports``: trading
    statuses, price bands and imbalances that are older than another one of the symbol;
    ``repeated_reports``: those that came before.
    """

    frames: int
    ticks: int
    ineligible: int
    late: int
    quarantined: int
    corrected: int
    cancelled: int
    malformed: int
    unsubscribed: int
    unknown_conditions: dict[str, int]
    unknown_messages: dict[str, int]
    unknown_statuses: dict[str, int] = {}
    repeated: int = 0
    late_reports: int = 0
    repeated_reports: int = 0


class BarCounts(msgspec.Struct, kw_only=True):
    """Bars of minutes made of prints, compared with Alpaca's, since this process started to lead.

    ``charted``: the symbols whose bars are made at present. ``compared``: minutes of which the
    stream has brought all prints, as far as is known. ``volume_differs`` ``close_differs``: those
    of them whose bar is another than Alpaca's. ``missing_shares`` ``missing_trades``: what those
    bars lack. ``unexpected``: minutes that have prints here and no bar at Alpaca.
    """

    charted: int
    compared: int
    volume_differs: int
    close_differs: int
    missing_shares: float
    missing_trades: int
    unexpected: int


class IngestStatus(msgspec.Struct, kw_only=True):
    """The ingest's health. Times are RFC 3339 in UTC; ``lag_ms`` is receive minus exchange time.

    ``alpaca_connected state reason since`` are those of the stock stream. ``over_limit``: symbols
    that are polled. ``conflated``: values replaced by newer ones while Redis was slow; ``lost``:
    events discarded for lack of room in that time. ``malformed``: the messages, rows and fields
    that could not be read, by stream, and of ``rest`` and ``redis``. ``publish_error``: Redis'
    answer while it rejects the publications, so that no new value reaches a gateway. ``tasks``:
    those of the process. Redis carries the report because a worker has no HTTP port.
    """

    event_id: str
    ingest_id: str
    alpaca_connected: bool
    state: FeedState
    reason: str | None
    since: str
    feed: str
    session: Session
    next_open: str | None
    next_close: str | None
    lag_ms: float | None
    active_symbols: list[str]
    over_limit: list[str]
    rejected: list[str]
    alarms: list[Alarm]
    streams: list[StreamStatus]
    tape: TapeCounts
    bars: BarCounts | None = None
    malformed: dict[str, int] = {}
    publish_error: str | None = None
    published: int
    conflated: int
    lost: int
    reconnects: int
    tasks: int = 0
    started: str


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(IngestStatus).decode
