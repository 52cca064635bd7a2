"""The lease, for parts of a gateway that need one."""

from redis.asyncio import Redis

from gateway.bus.barrier import Barrier
from gateway.bus.history import History
from gateway.bus.lease_watch import LeaseWatch
from gateway.bus.malformed import MalformedData
from gateway.bus.subscriptions import Subscriptions
from gateway.fanout.hub import Hub
from tests.keyspace import KEYSPACE


def lease_of(client: Redis, hub: Hub) -> LeaseWatch:
    """Return the watch of the lease for a hub."""
    return LeaseWatch(client, KEYSPACE, hub)


def subscriptions_of(client: Redis, hub: Hub) -> Subscriptions:
    """Return the subscriptions of a hub, whose streams have one topic at most."""
    history = History(client, KEYSPACE, MalformedData())
    return Subscriptions(hub, history, lease_of(client, hub), Barrier(), limit=1)
