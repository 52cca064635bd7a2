"""What a gateway says of itself in Redis, so that any gateway can answer for all."""

from contextlib import suppress

import msgspec
from redis.asyncio import Redis

from gateway.fanout.hub import Hub
from gateway.wire.feed_view import FeedView
from shared.bus import keys


class GatewayReport(msgspec.Struct, kw_only=True):
    """One gateway's size. Reported every five seconds, gone fifteen after its death."""

    gateway_id: str
    clients: int
    topics: int
    stalled: int
    refused: int
    busy: int
    lag_ms: float | None
    started: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(GatewayReport).decode


def report_of(
    gateway_id: str, hub: Hub, feed: FeedView, *, busy: int, started: str
) -> GatewayReport:
    """Return the present state of a gateway; ``busy`` counts those for whom was no room."""
    return GatewayReport(
        gateway_id=gateway_id,
        clients=len(hub.clients),
        topics=len(hub.channels),
        stalled=len(hub.flusher.stalled),
        refused=hub.refused,
        busy=busy,
        lag_ms=feed.event.lag_ms,
        started=started,
    )


async def store(client: Redis, report: GatewayReport) -> None:
    """Write a report where the other gateways find it."""
    key = keys.gateway_key(report.gateway_id)
    await client.set(key, _encode(report), ex=keys.GATEWAY_SECONDS)


async def read_all(client: Redis) -> list[GatewayReport]:
    """Return the reports of all gateways that live, by id."""
    found = [key async for key in client.scan_iter(match=keys.gateway_key("*"), count=1000)]
    values = await client.mget(found) if found else []
    reports = []
    for value in values:
        with suppress(msgspec.DecodeError):  # a gateway of another version, or gone meanwhile
            reports.append(_decode(value or b""))
    return sorted(reports, key=lambda report: report.gateway_id)
