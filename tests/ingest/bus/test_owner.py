"""The account whose data Redis has: an ingest of another account neither leads nor stands by."""

import asyncio

import pytest
from redis.asyncio import Redis

from ingest.bus.lease import AnotherOwnerError, Lease
from shared.bus.keys import Keyspace
from shared.bus.owner import Owner
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import watcher
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.programs import ingest_environment, program
from tests.services import ingest_service, running_ingest, until

HOST, FEED = "paper-api.example", "iex"
OURS = Owner.of_key("key", host=HOST, feed=FEED).with_account("account-1")
UNCONFIRMED = Owner.of_key("key", host=HOST, feed=FEED)
NEW_KEY = Owner.of_key("new-key", host=HOST, feed=FEED)
QUIET = SimulatorSettings(tape=None, positions=())


async def test_the_lease_names_the_account_the_host_and_the_feed(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", lambda: OURS)
        assert await lease.claim()

        expected = f"first {lease.epoch} {OURS.key} {OURS.account} {HOST} {FEED}"
        assert await client.get(KEYSPACE.lease) == expected.encode()
        assert await client.get(KEYSPACE.owner) == str(OURS).encode()
        assert await client.ttl(KEYSPACE.owner) == -1
        await lease.release()
        assert not await client.exists(KEYSPACE.lease)
        assert await client.exists(KEYSPACE.owner)


async def test_a_mark_that_is_no_text_is_another_owner(source: RedisSource) -> None:
    async with source.client("test") as client:
        await client.set(KEYSPACE.owner, b"\xff \xc2\x85 b c")  # U+0085 is white space in Python
        with pytest.raises(AnotherOwnerError):
            await Lease(client, KEYSPACE, "first", lambda: OURS).claim()


@pytest.mark.parametrize(
    "other",
    [
        NEW_KEY.with_account("account-2"),
        NEW_KEY,  # Alpaca has not said whose it is
        Owner.of_key("key", host="other-host.example", feed=FEED).with_account("account-1"),
    ],
    ids=["another account", "an unknown key", "another host"],
)
@pytest.mark.parametrize("leads", [True, False], ids=["while it leads", "after it has ended"])
async def test_an_ingest_of_another_account_is_rejected(
    any_source: RedisSource, other: Owner, leads: bool
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", lambda: OURS)
        assert await lease.claim()
        if not leads:
            await lease.release()

        with pytest.raises(AnotherOwnerError, match=r"REDIS_NAMESPACE.*empty the database") as info:
            await Lease(client, KEYSPACE, "other", lambda: other).claim()

        assert all(part in str(info.value) for part in (OURS.key, HOST, other.key, other.host))


@pytest.mark.parametrize(
    "same",
    [
        NEW_KEY.with_account("account-1"),
        UNCONFIRMED,
        Owner.of_key("key", host=HOST, feed="sip").with_account("account-1"),
        None,
    ],
    ids=["a new key", "not confirmed yet", "another feed", "no account"],
)
async def test_an_ingest_of_the_same_account_stands_by_and_takes_over(
    any_source: RedisSource, same: Owner | None
) -> None:
    async with any_source.client("test") as client:
        first = Lease(client, KEYSPACE, "first", lambda: OURS)
        second = Lease(client, KEYSPACE, "second", lambda: same)
        assert await first.claim()
        assert not await second.claim()
        await first.release()

        assert await second.claim()
        marked = same if same is not None and same.account == OURS.account else OURS
        assert await client.get(KEYSPACE.owner) == str(marked).encode()


async def test_a_key_that_alpaca_has_not_confirmed_locks_no_other_out(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        mistyped = Lease(client, KEYSPACE, "mistyped", lambda: UNCONFIRMED)
        assert await mistyped.claim()
        await mistyped.release()

        assert await Lease(client, KEYSPACE, "right", lambda: NEW_KEY.with_account("a")).claim()


async def test_the_mark_is_set_once_alpaca_has_confirmed_the_key(any_source: RedisSource) -> None:
    owner = UNCONFIRMED
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", lambda: owner)
        assert await lease.claim()
        assert not await client.exists(KEYSPACE.owner)
        owner = OURS
        assert await lease.claim()

        assert await client.get(KEYSPACE.owner) == str(OURS).encode()
        assert str(await client.get(KEYSPACE.lease)).count(OURS.account) == 1


async def test_a_leader_ends_if_its_emptied_redis_got_another_owner(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "first", lambda: OURS)
        assert await lease.claim()
        await client.flushall()
        other = NEW_KEY.with_account("account-2")
        assert await Lease(client, KEYSPACE, "other", lambda: other).claim()

        with pytest.raises(AnotherOwnerError):
            async with asyncio.timeout(LIMIT_SECONDS):
                await lease.renew()


async def test_accounts_with_a_namespace_each_both_lead(any_source: RedisSource) -> None:
    other = NEW_KEY.with_account("account-2")
    async with any_source.client("test") as client:
        assert await Lease(client, KEYSPACE, "first", lambda: OURS).claim()
        assert await Lease(client, Keyspace("staging"), "second", lambda: other).claim()


async def test_an_ingest_of_another_account_ends_with_the_remedy_and_the_leader_continues(
    source: RedisSource,
) -> None:
    async with (
        Simulator(QUIET) as ours,
        Simulator(QUIET) as other,
        watcher(source) as watching,
        running_ingest(source, ours),
    ):
        await watching.until_state("live")
        await until(lambda: _exists(watching.client, KEYSPACE.owner))
        leader = await watching.client.get(KEYSPACE.lease)

        with pytest.raises(AnotherOwnerError, match="REDIS_NAMESPACE"):
            async with asyncio.timeout(LIMIT_SECONDS):
                await ingest_service(source, other).run(asyncio.Event())

        assert await watching.client.get(KEYSPACE.lease) == leader


async def test_the_process_ends_with_status_78_and_one_sentence(source: RedisSource) -> None:
    async with Simulator(QUIET) as simulator, source.client("test") as client:
        await client.set(KEYSPACE.owner, str(OURS))
        async with program("ingest", **ingest_environment(simulator, source.url)) as ingest:
            assert await ingest.ended() == 78

    [line] = [each for each in ingest.output.splitlines() if "redis_has_another_account" in each]
    assert "this Redis has the data of another Alpaca account" in line
    assert "Traceback" not in ingest.output


async def _exists(client: Redis, key: str) -> bool:
    return bool(await client.exists(key))
