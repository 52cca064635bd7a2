"""The common part of the checks of one ordered topic: rising ids, and gaps. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.chaos.follower import NEVER, Complain, Follower, order_of
from tests.chaos.gaps import Gaps


class OrderedTopic(Follower):
    """Follows one topic, whose events have its kind's name, at one client."""

    def __init__(
        self, name: str, topic: str, kind: str, emptied: Sequence[int], complain: Complain
    ) -> None:
        """``emptied``: the times (unix ns) at which Redis lost its data."""
        super().__init__(name, complain)
        self.received = 0
        self.gaps = Gaps()
        self._topic = topic
        self._kind = kind
        self._emptied = emptied
        self._order = NEVER
        self._newest_at = 0

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check an event of the topic."""
        if kind == "gap" and self._topic in data["topics"]:
            self.gaps.add(data, self._newest_at)
        if kind != self._kind:
            return
        order = order_of(data["event_id"])
        if order <= self._order:
            self.wrong(f"{kind} {dict(data)} after {'-'.join(map(str, self._order))}")
        self._order = max(order, self._order)
        self._check(data)

    def _check(self, data: Mapping[str, Any]) -> None:
        """Compare an event with the ledger."""
        raise NotImplementedError

    def _may_repeat(self, at: int) -> bool:
        # Nobody knows after a loss of Redis' data what was announced before it.
        return any(at < emptied for emptied in self._emptied)
