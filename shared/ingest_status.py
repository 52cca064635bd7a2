"""What the leading ingest reports every second: the truth about the upstream."""

from typing import Literal

import msgspec

FeedState = Literal["connecting", "live", "reconnecting", "failed"]
Session = Literal["pre", "regular", "post", "overnight", "closed", "unknown"]


class IngestStatus(msgspec.Struct, kw_only=True):
    """The ingest's health. Times are RFC 3339 in UTC; ``lag_ms`` is receive minus exchange time.

    A Render worker has no HTTP port: this is how it is seen.
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
    frames: int
    ticks: int
    published: int
    reconnects: int
    started: str


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(IngestStatus).decode
