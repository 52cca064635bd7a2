"""Changing the topics of a stream that this gateway has."""

from gateway.bus.loading import loaded
from gateway.bus.stream_changes import Change, Changed, Problem
from gateway.fanout.client import Client
from gateway.fanout.hub import Hub
from shared.topics import COMPANIONS, kind_of


class StreamTopics:
    """Makes changes. ``limit`` is the most topics of one stream."""

    def __init__(self, hub: Hub, *, limit: int) -> None:
        self._hub = hub
        self._limit = limit

    async def change(self, change: Change) -> Changed:
        """Give a stream other topics; the answer comes when their values are on their way."""
        hub = self._hub
        client = hub.clients.get(change.stream_id)
        if client is None or client.principal != change.principal:
            return _refused(change, "unknown_stream")
        added = hub.watch(change.add)
        try:
            await loaded(client, added)
            if client.left:
                return _refused(change, "unknown_stream")
            intervals = _intervals_of(client)
            if intervals is None:
                return _refused(change, "not_ready")
            for topic in change.remove:
                intervals.pop(topic, None)
            intervals |= change.add
            if not intervals:
                return _refused(change, "no_topics")
            if sum(kind_of(topic) not in COMPANIONS for topic in intervals) > self._limit:
                return _refused(change, "too_many_topics")
            hub.change(client, hub.watch(intervals), list(intervals.values()))
        finally:
            hub.unwatch(added)
        return Changed(question=change.question, intervals=intervals)


def _intervals_of(client: Client) -> dict[str, float] | None:
    if client.cohort is None:
        return None
    return {lane.channel.topic: lane.interval for lane in client.cohort.lanes[:-1]}


def _refused(change: Change, problem: Problem) -> Changed:
    return Changed(question=change.question, problem=problem)
