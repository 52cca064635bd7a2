"""The lease: one of many leads, and every hand-over has a higher number."""

import asyncio

import pytest
from redis.exceptions import AuthenticationError, OutOfMemoryError, ReadOnlyError
from structlog.testing import capture_logs

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


async def test_only_one_of_many_holds_it(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        leases = [Lease(client, KEYSPACE, f"ingest-{number}") for number in range(10)]

        assert sum(await asyncio.gather(*(lease.claim() for lease in leases))) == 1
        assert sum(await asyncio.gather(*(lease.claim() for lease in leases))) == 1


async def test_the_number_grows_at_every_hand_over(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        epochs = []
        for number in range(5):  # within one millisecond of Redis' clock, too
            lease = Lease(client, KEYSPACE, f"ingest-{number}")
            epochs.append(await take(lease))
            await lease.release()

        assert epochs == sorted(set(epochs))


async def test_the_number_grows_although_redis_has_lost_everything(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        before = await take(first)
        await client.flushall()

        async def a_millisecond_later() -> bool:  # no server restarts faster
            seconds, micros = await client.time()
            return int(seconds) * 1000 + int(micros) // 1000 > before

        await until(a_millisecond_later)
        assert await take(second) > before


async def test_the_number_grows_although_redis_clock_went_back(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        future = 99_999_999_999_999
        await client.set(KEYSPACE.epoch, future)

        assert await take(Lease(client, KEYSPACE, "first")) == future + 1


async def test_who_held_it_takes_a_higher_number_although_redis_lost_it_and_its_clock_went_back(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        await client.set(KEYSPACE.epoch, 99_999_999_999_999)
        lease = Lease(client, KEYSPACE, "first")
        before = await take(lease)
        await client.flushall()

        assert await take(lease) == before + 1


async def test_renewing_keeps_the_number_and_nothing_is_due_to_be_republished(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        epoch = await take(lease)
        lease.republish_due.clear()
        await client.pexpire(KEYSPACE.lease, 500)
        assert await take(lease) == epoch

        assert not lease.republish_due.is_set()
        assert await client.pttl(KEYSPACE.lease) > 500


async def test_a_new_number_after_redis_was_emptied_makes_republishing_due(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        before = await take(lease)
        lease.republish_due.clear()
        await client.flushall()

        assert await take(lease) > before
        assert lease.republish_due.is_set()


async def test_a_release_hands_it_over_at_once_and_only_by_its_holder(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        await take(first)
        await second.release()
        assert not await second.claim()

        await first.release()
        assert await second.claim()


async def test_an_expired_lease_is_taken_by_another_and_the_old_holder_learns_it(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        await take(first)
        await client.delete(KEYSPACE.lease)
        await take(second)

        with pytest.raises(LeaseLostError):
            async with asyncio.timeout(LIMIT_SECONDS):
                await first.renew()
        assert second.epoch > first.epoch


async def test_it_is_given_an_expiry_and_does_expire(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        await take(first)
        assert 0 < await client.pttl(KEYSPACE.lease) <= keys.LEASE_MILLISECONDS

        monkeypatch.setattr(keys, "LEASE_MILLISECONDS", 20)
        await take(first)
        await until(second.claim)


async def test_it_is_not_valid_once_its_time_is_over_by_our_own_clock(
    any_source: RedisSource,
) -> None:
    now = 100.0
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", monotonic=lambda: now)
        epoch = await take(lease)
        now += keys.LEASE_MILLISECONDS / 1000 - 0.001
        assert await lease.valid() == epoch

        now += 0.001
        waiting = [asyncio.create_task(lease.valid()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.05)
        assert not any(task.done() for task in waiting)
        await take(lease)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await asyncio.gather(*waiting) == [epoch] * 3


async def test_it_is_not_valid_after_a_release(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        first = Lease(client, KEYSPACE, "first")
        await take(first)
        await first.release()

        waiting = asyncio.create_task(first.valid())
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
        await take(first)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await waiting == first.epoch


async def test_it_is_not_valid_once_another_holds_it(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        await take(first)
        await client.delete(KEYSPACE.lease)
        await take(second)
        assert not await first.claim()

        waiting = asyncio.create_task(first.valid())
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_who_was_away_and_followed_by_nobody_goes_on_under_its_number(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        before = await take(lease)
        lease.republish_due.clear()
        await client.delete(KEYSPACE.lease)

        assert await take(lease) == before
        assert not lease.republish_due.is_set()
        assert await client.pttl(KEYSPACE.lease) > 0


async def test_who_was_away_while_another_led_does_not_get_it_back_though_it_is_free(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        first, second = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "second")
        await take(first)
        await client.delete(KEYSPACE.lease)
        await take(second)
        await second.release()

        with pytest.raises(LeaseLostError):
            async with asyncio.timeout(LIMIT_SECONDS):
                await first.renew()
        assert not await client.exists(KEYSPACE.lease)
        assert await Lease(client, KEYSPACE, "first").claim()


async def test_a_number_older_than_the_holders_is_a_loss_of_data_and_begins_a_new_one(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        before = await take(lease)
        await client.delete(KEYSPACE.lease)
        await client.set(KEYSPACE.epoch, before - 5)  # a replica that lagged, a backup

        assert await take(lease) > before


async def test_a_process_that_did_not_get_to_release_takes_it_anew_with_a_new_number(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        before = await take(Lease(client, KEYSPACE, "first"))

        assert await take(Lease(client, KEYSPACE, "first")) > before


async def test_a_claim_whose_answer_was_lost_costs_nothing_but_a_number(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        await take(lease)
        claimed = lease.epoch + 7
        await client.set(KEYSPACE.lease, f"first {claimed}")
        await client.set(KEYSPACE.epoch, claimed)

        assert await take(lease) > claimed


async def test_it_releases_nothing_but_what_it_holds(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        old, new = Lease(client, KEYSPACE, "first"), Lease(client, KEYSPACE, "first")
        await take(old)
        await take(new)
        await old.release()

        assert await client.exists(KEYSPACE.lease)


async def test_republishing_is_due_under_the_same_number_when_redis_is_back(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis with a disk comes back with its lease and its counter, and without its newest."""
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.02)
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        epoch = await take(lease)
        lease.republish_due.clear()

        async def away(**_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(lease, "_claim", away)
            renewing = asyncio.create_task(lease.renew())
            await until(lambda: not lease._reachable)
        await until(lease.republish_due.is_set)
        assert await take(lease) == epoch
        renewing.cancel()
        await asyncio.wait([renewing])


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (OutOfMemoryError("OOM"), "lease_renewal_rejected"),
        (ReadOnlyError("READONLY"), "redis_unreachable"),
        (AuthenticationError("WRONGPASS"), "lease_renewal_rejected"),
        (ConnectionError("refused"), "redis_unreachable"),
    ],
)
async def test_a_failed_renewal_is_logged_once_by_its_kind(
    error: Exception, event: str, any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.0)
    failures = 0
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        await take(lease)

        async def fail(**_: object) -> None:
            nonlocal failures
            failures += 1
            raise error

        monkeypatch.setattr(lease, "_claim", fail)
        with capture_logs() as lines:
            renewing = asyncio.create_task(lease.renew())
            await until(lambda: failures > 2)
            renewing.cancel()
            await asyncio.wait([renewing])

        assert [(line["event"], line["error"]) for line in lines] == [(event, str(error))]


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


async def test_renewing_lives_through_a_restart_of_redis(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.05)
    async with source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        before = await take(lease)
        renewing = asyncio.create_task(lease.renew())
        await valkey.stop()
        await asyncio.sleep(0.1)
        assert not renewing.done()
        await valkey.start()
        await until(lambda: lease.epoch > before)
        renewing.cancel()
        await asyncio.wait([renewing])
        assert renewing.cancelled()


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


@pytest.mark.parametrize("expiry", [None, 3_600_000])
async def test_a_lease_that_another_program_wrote_to_last_is_taken_after_a_leases_life(
    any_source: RedisSource, expiry: int | None
) -> None:
    async with any_source.client("test") as client:
        await client.set(KEYSPACE.lease, "x 1", px=expiry)
        lease = Lease(client, KEYSPACE, "ingest")
        with capture_logs() as lines:
            assert not await lease.claim()
            assert not await lease.claim()
        assert [line["event"] for line in lines] == ["lease_endless"]
        assert 0 < await client.pttl(KEYSPACE.lease) <= keys.LEASE_MILLISECONDS

        await client.pexpire(KEYSPACE.lease, 1)
        await until(lambda: lease.claim())
