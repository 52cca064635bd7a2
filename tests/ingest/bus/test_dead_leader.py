"""A leader that has died gives way before its lease ends; one that may live keeps it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from ingest.bus.lease import UNRENEWED_MILLISECONDS, WITNESS_SECONDS, Lease
from shared.bus import keys
from shared.bus.errors import BusError
from shared.bus.redis_source import RedisSource
from tests.keyspace import KEYSPACE
from tests.services import until


class Pair:
    """A leader, and a standby that has followed it for long enough to be a witness."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.now = 100.0
        self.leader = Lease(client, KEYSPACE, "leader")
        self.standby = Lease(client, KEYSPACE, "standby", monotonic=lambda: self.now)

    async def start(self) -> None:
        assert await self.leader.claim()
        assert not await self.standby.claim()
        self.now += WITNESS_SECONDS

    async def miss_renewals(self) -> None:
        """Let the lease look as if the leader had missed two renewals."""
        await self.client.pexpire(
            KEYSPACE.lease, keys.LEASE_MILLISECONDS - UNRENEWED_MILLISECONDS - 1
        )

    async def is_connected(self) -> bool:
        [(_, count)] = await self.client.pubsub_numsub(KEYSPACE.interest_channel)
        return bool(count)


@pytest.fixture
async def pair(source: RedisSource) -> AsyncIterator[Pair]:
    async with source.client("test") as client:
        pair = Pair(client)
        await pair.start()
        yield pair


async def test_a_standby_leads_before_the_lease_of_a_dead_leader_ends(pair: Pair) -> None:
    await pair.miss_renewals()

    assert await pair.standby.claim()
    assert pair.standby.epoch > pair.leader.epoch
    assert not await pair.leader.claim(), "it was only mute, and must not come back"


async def test_a_leader_that_renews_keeps_the_lease_with_no_subscription(pair: Pair) -> None:
    assert await pair.leader.claim()
    assert not await pair.standby.claim()


async def test_a_leader_whose_connection_is_open_keeps_the_lease_until_it_ends(
    pair: Pair, source: RedisSource
) -> None:
    async with source.client("leader") as client:
        pubsub = client.pubsub()
        await pubsub.subscribe(KEYSPACE.interest_channel)
        await until(pair.is_connected)
        await pair.miss_renewals()
        assert not await pair.standby.claim()
        await pubsub.unsubscribe()
        await pubsub.aclose()  # type: ignore[no-untyped-call]

    assert await pair.standby.claim()


async def test_a_standby_that_has_just_come_is_no_witness(pair: Pair) -> None:
    await pair.miss_renewals()

    assert not await Lease(pair.client, KEYSPACE, "newcomer").claim()


async def test_a_standby_that_lost_redis_itself_is_no_witness_until_it_has_followed_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> bytes:
        raise RedisConnectionError("connection reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(pair.standby, "_ask", lost)
        with pytest.raises(BusError):
            await pair.standby.claim()
    await pair.miss_renewals()
    assert not await pair.standby.claim()
    pair.now += WITNESS_SECONDS

    assert await pair.standby.claim()


async def test_a_user_that_may_not_ask_for_subscribers_waits_for_the_end_of_the_lease(
    pair: Pair,
) -> None:
    ask: Any = pair.client.execute_command
    await ask("ACL", "SETUSER", "poor", "on", "nopass", "~*", "+@all", "-pubsub")
    try:
        await ask("AUTH", "poor", "none")
        await pair.miss_renewals()
        assert not await pair.standby.claim()
    finally:
        await ask("AUTH", "default", "none")
        await ask("ACL", "DELUSER", "poor")
