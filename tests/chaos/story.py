"""A client in the tests of the checks: events with rising ids, and gaps between minutes."""

from typing import Any

from simulator.protocol import rfc3339
from tests.chaos.follower import Follower

MINUTE = 60 * rfc3339.SECOND
END = 99 * MINUTE


class FollowedClient:
    """Sends ``follower`` events; ``topic`` is the one that has gaps."""

    def __init__(self, topic: str) -> None:
        self.complaints: list[str] = []
        self.follower: Follower
        self._topic = topic
        self._seq = 0

    def gap(self, start: int | None, end: int | None) -> None:
        """Send a gap between two minutes; None is an open end."""
        bounds = [None if at is None else rfc3339.render(at * MINUTE) for at in (start, end)]
        self.event("gap", {"topics": [self._topic], "from": bounds[0], "to": bounds[1]})

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event with the next id."""
        self._seq += 1
        self.follower.event(kind, {"event_id": f"7-{self._seq}", **data})
