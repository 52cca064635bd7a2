"""The lease between a leader and those that stand by: who leads if one of them cannot."""

import asyncio

import pytest
from redis.exceptions import OutOfMemoryError

from ingest.bus import lease as lease_module
from ingest.bus.lease import HandOverError, Lease, LeaseLostError
from ingest.reach import Reach
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until


async def take(lease: Lease) -> int:
    assert await lease.claim()
    return lease.epoch


@pytest.mark.parametrize(
    ("has_standby", "limit"),
    [(False, lease_module.ALONE_SECONDS), (True, lease_module.BESIDE_STANDBY_SECONDS)],
)
async def test_who_cannot_reach_redis_gives_up_leading_soon_if_another_stands_by(
    valkey: ValkeyServer,
    source: RedisSource,
    monkeypatch: pytest.MonkeyPatch,
    has_standby: bool,
    limit: float,
) -> None:
    for name in ("LEASE_RENEW_SECONDS", "RENEW_RETRY_SECONDS"):
        monkeypatch.setattr(lease_module, name, 0.01)
    now = 100.0
    async with source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", monotonic=lambda: now)
        await take(lease)
        if has_standby:
            assert not await Lease(client, KEYSPACE, "second").claim()
            await take(lease)
        await valkey.stop()
        now += keys.LEASE_MILLISECONDS / 1000 + limit
        renewing = asyncio.create_task(lease.renew())
        await until(lambda: not lease._reachable)
        assert not renewing.done()

        now += 0.1
        with pytest.raises(LeaseLostError, match="too long"):
            async with asyncio.timeout(LIMIT_SECONDS):
                await renewing


async def test_a_redis_that_rejects_renewals_is_not_left_to_a_standby(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEW_RETRY_SECONDS", 0.01)
    now = 100.0
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", monotonic=lambda: now)
        await take(lease)
        assert not await Lease(client, KEYSPACE, "second").claim()
        await take(lease)
        rejected = 0

        async def reject(**_: object) -> None:
            nonlocal rejected
            rejected += 1
            raise OutOfMemoryError("OOM")

        monkeypatch.setattr(lease, "_claim", reject)
        now += keys.LEASE_MILLISECONDS / 1000 + lease_module.BESIDE_STANDBY_SECONDS + 1
        renewing = asyncio.create_task(lease.renew())
        await until(lambda: rejected > 2)
        assert not renewing.done()
        renewing.cancel()
        await asyncio.wait([renewing])


async def test_a_standbys_claim_that_waited_in_a_stalled_redis_leaves_the_lease_to_its_leader(
    any_source: RedisSource,
) -> None:
    now = 100.0
    async with any_source.client("test") as client:
        leader = Lease(client, KEYSPACE, "leader")
        standby = Lease(client, KEYSPACE, "standby", monotonic=lambda: now)
        epoch = await take(leader)
        assert not await standby.claim()
        await client.delete(KEYSPACE.lease)  # its time is over

        now -= lease_module.STALE_CLAIM_MILLISECONDS / 1000 + 1  # when the claim was sent
        assert not await standby.claim()
        assert await take(leader) == epoch
        await client.delete(KEYSPACE.lease)
        assert await standby.claim(), "the refusal contains the time"


@pytest.mark.parametrize(
    ("leader_is", "standby_is", "hands_over"),
    [
        (Reach.UNREACHABLE, Reach.REACHES, True),
        (Reach.UNREACHABLE, Reach.UNREACHABLE, False),
        (Reach.UNREACHABLE, Reach.UNKNOWN, False),
        (Reach.UNKNOWN, Reach.REACHES, False),
    ],
)
async def test_a_leader_that_cannot_reach_alpaca_hands_over_to_a_standby_that_can(
    any_source: RedisSource,
    monkeypatch: pytest.MonkeyPatch,
    leader_is: Reach,
    standby_is: Reach,
    hands_over: bool,
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.01)
    async with any_source.client("test") as client:
        leader = Lease(client, KEYSPACE, "leader", reach=lambda: leader_is)
        standby = Lease(client, KEYSPACE, "standby", reach=lambda: standby_is)
        await take(leader)
        assert not await standby.claim()
        assert standby.is_leader_unreachable is (leader_is is Reach.UNREACHABLE)

        renewing = asyncio.create_task(leader.renew())
        renewed = [renewing]
        if hands_over:
            with pytest.raises(HandOverError):
                async with asyncio.timeout(LIMIT_SECONDS):
                    await renewing
        else:
            await asyncio.wait(renewed, timeout=0.05)
            assert not renewing.done()
            renewing.cancel()
            await asyncio.wait(renewed)


async def test_one_standby_that_reaches_alpaca_is_enough_and_is_forgotten_when_it_leads(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        leader = Lease(client, KEYSPACE, "leader")
        able = Lease(client, KEYSPACE, "able", reach=lambda: Reach.REACHES)
        other = Lease(client, KEYSPACE, "other")
        await take(leader)
        assert not await able.claim()
        assert not await other.claim()
        assert await client.get(KEYSPACE.standby) == b"reaches"
        assert 0 < await client.pttl(KEYSPACE.standby) <= lease_module.STANDBY_MILLISECONDS

        await leader.release()
        await take(able)
        assert not await client.exists(KEYSPACE.standby)


async def test_a_standby_leaves_an_emptied_redis_to_whoever_led(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        leader, standby = Lease(client, KEYSPACE, "leader"), Lease(client, KEYSPACE, "standby")
        before = await take(leader)
        assert not await standby.claim()
        await client.flushall()

        assert not await standby.claim()
        assert not await Lease(client, KEYSPACE, "newcomer").claim()
        assert await take(leader) > before
        assert not await standby.claim()


async def test_a_standby_leads_once_nobody_has_wanted_an_emptied_redis(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with any_source.client("test") as client:
        leader, standby = Lease(client, KEYSPACE, "leader"), Lease(client, KEYSPACE, "standby")
        before = await take(leader)
        assert not await standby.claim()
        await client.flushall()
        monkeypatch.setattr(keys, "LEASE_MILLISECONDS", 20)
        assert not await standby.claim()
        await until(standby.claim)

        assert standby.epoch > before
        with pytest.raises(LeaseLostError):
            async with asyncio.timeout(LIMIT_SECONDS):
                await leader.renew()


async def test_of_two_standbys_one_leads_after_one_wait(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        await take(Lease(client, KEYSPACE, "leader"))
        standbys = [Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")]
        assert not any([await standby.claim() for standby in standbys])
        await client.flushall()
        assert not any([await standby.claim() for standby in standbys])
        await client.delete(KEYSPACE.lease)  # as if its time were over

        assert [await standby.claim() for standby in standbys] == [True, False]


async def test_a_standby_waits_for_nobody_where_only_the_lease_has_ended(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        leader, standby = Lease(client, KEYSPACE, "leader"), Lease(client, KEYSPACE, "standby")
        await take(leader)
        assert not await standby.claim()
        await leader.release()

        assert await standby.claim()
