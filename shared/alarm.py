"""An alarm: a condition that needs a person's attention."""

from typing import Literal

import msgspec

AlarmCode = Literal[
    "stream_failed",
    "stream_away",
    "slot_taken",
    "lagging",
    "clock_behind",
    "over_limit",
    "left_out",
    "rejected_symbols",
    "refused_symbols",
    "withheld_symbols",
    "redis_rejects",
    "redis_slow",
    "events_lost",
    "events_rejected",
    "history_aside",
    "unknown_conditions",
    "unknown_statuses",
    "malformed",
    "quarantined",
    "bars_differ",
    "rest_failing",
    "hours_unknown",
    "eviction_policy",
    "foreign_data",
    "recording_stopped",
]


class Alarm(msgspec.Struct, frozen=True):
    """``code`` is for machines; ``text`` is a sentence that names the values and the remedy."""

    code: str  # an AlarmCode; a newer ingest may use codes that its reader does not know
    text: str
