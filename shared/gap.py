"""The ``gap`` event: a loss that could not be repaired."""

from typing import Literal

import msgspec

GapReason = Literal[
    "upstream_lost",
    "redis_unavailable",
    "redis_rejected",
    "not_recorded",
    "not_kept",
    "started_over",
]


class Gap(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """Events of ``topics`` are missing after ``from_`` and before ``to`` (RFC 3339 in UTC).

    ``from_`` None stands for the event that the client received last, ``to`` None for the next one.
    ``upstream_lost``: Alpaca's connection was lost and REST did not return the missed events.
    ``redis_unavailable``: the ingest had to discard events while Redis was unreachable.
    ``redis_rejected``: Redis rejected the events.
    ``not_recorded``: no ingest led at the time, or no client watched the topic.
    ``not_kept``: the client was disconnected, or did not read, for longer than the history, or
    Redis has lost it.
    ``started_over``: the gateway showed ids that Redis does not know; lower ones follow.
    The JSON gets ``event_id`` when it is published; ``from_`` is ``from`` there.
    """

    topics: list[str]
    from_: str | None
    to: str | None
    reason: GapReason


GAP = "gap"
"""The name of the event, on the channel of each topic that it concerns."""

encode = msgspec.json.Encoder().encode
