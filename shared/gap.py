"""The ``gap`` event: a loss that could not be repaired."""

from typing import Literal

import msgspec

GapReason = Literal["upstream_lost", "redis_unavailable", "not_recorded", "not_kept"]


class Gap(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """Events of ``topics`` are missing after ``from_`` and before ``to`` (RFC 3339 in UTC).

    ``from_`` is None after what the client has had last, ``to`` before what it is sent next.
    ``upstream_lost``: Alpaca's connection was away and REST did not give what was missed.
    ``redis_unavailable``: more happened than the ingest could keep while Redis was away.
    ``not_recorded``: no ingest led then, or nobody watched the topic.
    ``not_kept``: the client was away, or did not read, for longer than the history reaches back.
    The JSON gets ``event_id`` when it is published; ``from_`` is ``from`` there.
    """

    topics: list[str]
    from_: str | None
    to: str | None
    reason: GapReason


GAP = "gap"
"""The name of the event, on the channel of each topic that it concerns."""

encode = msgspec.json.Encoder().encode
