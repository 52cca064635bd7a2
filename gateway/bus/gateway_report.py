"""The report that a gateway stores in Redis, so that any gateway can answer for all."""

import msgspec

from gateway.bus.foreign_data import ForeignData
from gateway.bus.malformed import MalformedData
from gateway.fanout.hub import Hub
from gateway.wire.feed_view import FeedView
from shared.alarm import Alarm


class GatewayReport(msgspec.Struct, kw_only=True):
    """The size and health of one gateway.

    It is stored every five seconds and expires 15 s after the gateway has died. ``lag_ms`` is the
    age of events on arrival; ``started`` is RFC 3339; ``alarms`` are those of the gateway itself;
    the rest are counts. ``foreign``: messages of other deployments that were rejected.
    ``started_over``: how often events were dropped because the lease in Redis was older.
    ``malformed``: contents of Redis that could not be read.
    """

    gateway_id: str
    clients: int
    topics: int
    stalled: int
    refused: int
    busy: int
    unauthorized: int = 0  # gateways of 0.1.0 do not report it
    tasks: int = 0
    lag_ms: float | None
    started: str
    foreign: int = 0
    started_over: int = 0
    malformed: int = 0
    alarms: list[Alarm] = []


def report_of(
    gateway_id: str,
    hub: Hub,
    feed: FeedView,
    foreign: ForeignData,
    malformed: MalformedData,
    *,
    busy: int,
    unauthorized: int,
    tasks: int,
    started: str,
) -> GatewayReport:
    """Return the present state of a gateway; ``busy`` counts the streams rejected for lack of room.

    ``unauthorized`` counts wrong tokens and tickets, ``tasks`` those of the process. ``started`` is
    RFC 3339.
    """
    return GatewayReport(
        gateway_id=gateway_id,
        clients=len(hub.clients),
        topics=len(hub.channels),
        stalled=len(hub.flusher.stalled),
        refused=hub.refused,
        busy=busy,
        unauthorized=unauthorized,
        tasks=tasks,
        lag_ms=feed.event.lag_ms,
        started=started,
        foreign=foreign.rejected,
        started_over=hub.started_over,
        malformed=malformed.count,
        alarms=foreign.alarms,
    )
