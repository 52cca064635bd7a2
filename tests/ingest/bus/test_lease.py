"""The lease: one of many leads, and every hand-over has a higher number."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, OutOfMemoryError, ReadOnlyError
from structlog.testing import capture_logs

from ingest.bus import lease as lease_module
from ingest.bus.lease import Lease, LeaseLostError
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until


async def take(lease: Lease) -> int:
    assert await lease.claim()
    return lease.epoch


async def set_epoch(client: Redis, counter: str) -> None:
    await client.set(KEYSPACE.epoch, counter)


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


NO_NUMBERS = ["mine", "inf", "1e400", "-7", "9" * 16, "9" * 400]
"""Counters that no leader has written. Lua reads some of them as numbers."""


@pytest.mark.parametrize("counter", [None, "5", *NO_NUMBERS])
async def test_a_counter_that_somebody_deletes_or_changes_is_restored_by_the_holder(
    any_source: RedisSource, counter: str | None
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first")
        epoch = await take(lease)
        await (client.delete(KEYSPACE.epoch) if counter is None else set_epoch(client, counter))

        assert await take(lease) == epoch
        assert await client.get(KEYSPACE.epoch) == str(epoch).encode()


@pytest.mark.parametrize("counter", NO_NUMBERS)
async def test_a_counter_that_is_no_number_keeps_nobody_from_leading(
    any_source: RedisSource, counter: str
) -> None:
    async with any_source.client("test") as client:
        await set_epoch(client, counter)
        epoch = await take(Lease(client, KEYSPACE, "first"))

        assert 0 < epoch < 10**15
        assert await client.get(KEYSPACE.epoch) == str(epoch).encode()


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
