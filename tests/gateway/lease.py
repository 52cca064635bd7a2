"""The lease, for parts of a gateway that need one."""

from redis.asyncio import Redis

from gateway.bus.lease_watch import LeaseWatch
from gateway.fanout.hub import Hub
from tests.keyspace import KEYSPACE


def lease_of(client: Redis, hub: Hub) -> LeaseWatch:
    """Return the watch of the lease for a hub."""
    return LeaseWatch(client, KEYSPACE, hub)
