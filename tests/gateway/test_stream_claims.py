"""Limits that hold over all gateways, kept in Redis."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.bus import stream_claims
from gateway.bus.stream_claims import StreamClaims
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.bus.valkey_server import ValkeyServer
from tests.keyspace import KEYSPACE
from tests.late_bytes import late_bytes
from tests.limits import LIMIT_SECONDS
from tests.services import until

ANN = {"principal": "ann", "address": "10.0.0.1"}
BOB = {"principal": "bob", "address": "10.0.0.2"}


@asynccontextmanager
async def claiming(client: Redis, gateway_id: str, **limits: int) -> AsyncIterator[StreamClaims]:
    """Run a gateway's claims."""
    claims = StreamClaims(client, KEYSPACE, gateway_id, limits, Rejections())
    task = asyncio.create_task(claims.run())
    try:
        yield claims
        assert not task.done() or not limits, "it has ended"
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def two_gateways(
    source: RedisSource, **limits: int
) -> AsyncIterator[tuple[StreamClaims, StreamClaims]]:
    async with (
        source.client("a") as a,
        source.client("b") as b,
        claiming(a, "a", **limits) as one,
        claiming(b, "b", **limits) as other,
    ):
        yield one, other


async def _counts(client: Redis, gateway_id: str = "a") -> Any:
    found: Any = await client.hgetall(KEYSPACE.streams_of(gateway_id))
    found.pop(b"call", None)
    return found


async def _calls(client: Redis, which: str = "calls") -> int:
    found: dict[str, Any] = await client.info("commandstats")
    return int(found.get("cmdstat_evalsha", {}).get(which, 0))


async def test_a_limit_holds_over_gateways_and_names_itself(any_source: RedisSource) -> None:
    async with two_gateways(any_source, principal=2, address=3) as (one, other):
        assert await one.claim(ANN) is None
        assert await other.claim(ANN) is None
        assert await one.claim(ANN) == await other.claim(ANN) == "principal"

        assert await one.claim(BOB) is None
        assert await one.claim({**ANN, "principal": "cat"}) is None
        assert await other.claim({**ANN, "principal": "dan"}) == "address"


async def test_only_properties_with_a_limit_are_counted(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, claiming(client, "a", address=1) as claims:
        assert await claims.claim(ANN) is None
        assert await claims.claim({**ANN, "address": "10.0.0.9"}) is None
        assert await claims.claim({**BOB, "address": "10.0.0.9"}) == "address"

        assert set(await _counts(client)) == {b"address 10.0.0.1", b"address 10.0.0.9"}


async def test_a_stream_rejected_by_one_limit_is_not_counted_by_another(
    any_source: RedisSource,
) -> None:
    async with two_gateways(any_source, principal=2, address=1) as (one, other):
        assert await one.claim(ANN) is None
        assert await other.claim(ANN) == "address"

        assert await other.claim({**ANN, "address": "10.0.0.9"}) is None


async def test_a_released_place_is_free_at_the_other_gateway(any_source: RedisSource) -> None:
    async with two_gateways(any_source, principal=1) as (one, other):
        assert await one.claim(ANN) is None
        assert await other.claim(ANN) == "principal"
        one.release(ANN)

        async def let_in() -> bool:
            return await other.claim(ANN) is None

        await until(let_in)
        assert await one.claim(ANN) == "principal"


async def test_without_limits_redis_is_not_called(source: RedisSource) -> None:
    async with source.client("test") as client, claiming(client, "a") as claims:
        assert await claims.claim(ANN) is None
        claims.release(ANN)

        assert await _calls(client) == 0


async def test_claims_of_the_same_moment_share_one_call(source: RedisSource) -> None:
    async with source.client("test") as client, claiming(client, "a", principal=70) as claims:
        await claims.claim(BOB)
        before = await _calls(client)
        answers = await asyncio.gather(*(claims.claim(ANN) for _ in range(100)))

        assert await _calls(client) == before + 1
        assert Counter(answers) == {None: 70, "principal": 30}
        assert await _counts(client) == {b"principal ann": b"70", b"principal bob": b"1"}


async def test_many_claims_are_sent_in_batches(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_claims, "SENT_AT_ONCE", 10)
    monkeypatch.setattr(stream_claims, "RENEW_SECONDS", 1_000)
    async with source.client("test") as client, claiming(client, "a", principal=50) as claims:
        await claims.claim(BOB)
        before = await _calls(client)
        async with asyncio.timeout(LIMIT_SECONDS):
            answers = await asyncio.gather(*(claims.claim(ANN) for _ in range(95)))

        assert await _calls(client) == before + 10
        assert Counter(answers) == {None: 50, "principal": 45}


async def test_claims_live_as_long_as_their_gateway_and_no_longer(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "STREAMS_MILLISECONDS", 400)
    monkeypatch.setattr(stream_claims, "RENEW_SECONDS", 0.05)
    async with any_source.client("test") as client:
        dead = StreamClaims(client, KEYSPACE, "dead", {"principal": 2}, Rejections())
        async with claiming(client, "a", principal=2) as one:
            assert await one.claim(ANN) is None
            lost = asyncio.create_task(dead.claim(ANN))
            await asyncio.sleep(0)
            await dead._update()  # and nothing ever again, as if it had been killed
            assert await lost is None
            assert await one.claim(ANN) == "principal"

            async def let_in() -> bool:
                return await one.claim(ANN) is None

            await until(let_in)
            await asyncio.sleep(1)  # more than twice the life of a claim
            assert await one.claim(ANN) == "principal"
            assert await client.smembers(KEYSPACE.streams) == {KEYSPACE.streams_of("a").encode()}


async def test_the_contract_lets_claims_expire_in_fifteen_seconds(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, claiming(client, "a", principal=2) as claims:
        await claims.claim(ANN)
        lives = [await client.pttl(key) for key in (KEYSPACE.streams, KEYSPACE.streams_of("a"))]

    assert all(5_000 < life <= 15_000 for life in lives)


async def test_a_gateway_releases_its_claims_when_it_ends(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        async with claiming(client, "a", principal=1) as claims:
            await claims.claim(ANN)
        async with claiming(client, "b", principal=1) as claims:
            assert await claims.claim(ANN) is None


async def test_a_redis_that_has_lost_its_data_is_sent_all_counts_again(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_claims, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(stream_claims, "SENT_AT_ONCE", 2)
    who = [{"principal": f"p{number}"} for number in range(5)]
    async with any_source.client("test") as client, claiming(client, "a", principal=9) as claims:
        assert [await claims.claim(each) for each in [*who, *who]] == [None] * 10
        counts = await _counts(client)
        await client.flushall()

        async def restored() -> bool:
            return bool(await _counts(client) == counts)

        await until(restored)
    assert counts == {f"principal p{number}".encode(): b"2" for number in range(5)}


async def test_a_claim_after_the_loss_is_measured_against_the_earlier_claims(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_claims, "SENT_AT_ONCE", 1)
    async with any_source.client("test") as client, claiming(client, "a", principal=2) as claims:
        assert await claims.claim(BOB) is None
        assert await claims.claim(ANN) is None
        assert await claims.claim(ANN) is None
        await client.flushall()

        assert await claims.claim(ANN) == "principal"


async def test_while_redis_is_unreachable_streams_are_admitted_and_counted_later(
    valkey: ValkeyServer,
) -> None:
    async with (
        RedisSource(valkey.url).client("test") as client,
        claiming(client, "a", principal=2) as claims,
    ):
        assert await claims.claim(ANN) is None
        await valkey.stop()
        assert [await claims.claim(ANN) for _ in range(3)] == [None] * 3
        await valkey.start()

        async def full() -> bool:
            return await claims.claim(ANN) == "principal"

        await until(full)
        assert int((await _counts(client))[b"principal ann"]) >= 4


async def test_a_call_that_reaches_redis_after_its_repetition_changes_no_count(
    source: RedisSource,
) -> None:
    async with (
        source.client("test") as redis,
        late_bytes(source) as late,
        RedisSource(late.url).client("a") as client,
        claiming(client, "a", principal=3) as claims,
        asyncio.timeout(LIMIT_SECONDS),
    ):
        assert await claims.claim(ANN) is None
        late.hold()
        second = asyncio.create_task(claims.claim(ANN))
        await late.waiting.wait()
        late.cut()
        assert await second is None

        async def repeated() -> bool:
            return bool(await _counts(redis) == {b"principal ann": b"2"})

        await until(repeated)
        late.release()
        await late.answered.wait()
        assert await repeated()


async def test_a_stream_that_left_while_redis_rejected_writes_is_no_longer_counted(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with source.client("test") as client, claiming(client, "a", principal=1) as claims:
        assert await claims.claim(ANN) is None
        failed_before = await _calls(client, "failed_calls")  # the script was not known at first
        await client.config_set("maxmemory", 1)
        claims.release(ANN)

        async def failed() -> bool:
            return await _calls(client, "failed_calls") > failed_before

        async def let_in() -> bool:
            return await claims.claim(ANN) is None

        await until(failed)
        await client.config_set("maxmemory", 0)
        await until(let_in)
        assert await claims.claim(ANN) == "principal"


@pytest.mark.parametrize("call", ["7", "9" * 15, "9" * 16, "inf", "one"])
async def test_a_number_of_calls_that_another_program_wrote_closes_no_gateway(
    any_source: RedisSource, call: str
) -> None:
    async with any_source.client("test") as client, claiming(client, "a", principal=2) as claims:
        assert await claims.claim(ANN) is None
        await client.hset(KEYSPACE.streams_of("a"), "call", call)

        assert await claims.claim(ANN) is None
        assert await claims.claim(ANN) == "principal"
        assert await _counts(client) == {b"principal ann": b"2"}


@pytest.mark.parametrize("count", ["many", "inf", "9" * 400, None])
async def test_a_count_that_another_program_wrote_closes_no_other_gateway(
    any_source: RedisSource, count: str | None
) -> None:
    async with any_source.client("test") as client, claiming(client, "a", principal=1) as claims:
        other = KEYSPACE.streams_of("b")
        await client.sadd(KEYSPACE.streams, other)
        if count is None:  # a key of another type
            await client.set(other, "x")
        else:
            await client.hset(other, "principal ann", count)

        assert await claims.claim(ANN) is None
        assert await claims.claim(ANN) == "principal"


async def test_a_claim_cancelled_at_the_moment_of_its_answer_is_not_counted(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client, claiming(client, "a", principal=1) as claims:
        waiting = asyncio.create_task(claims.claim(ANN))
        async with asyncio.timeout(LIMIT_SECONDS):
            while not claims._claimed:  # noqa: ASYNC110 - it has to be this very step
                await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

        assert waiting.cancelled()
        assert await claims.claim(ANN) is None


async def test_a_cancelled_claim_is_not_counted(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, claiming(client, "a", principal=1) as claims:
        for steps in range(12):  # given up before, while and after Redis is asked
            waiting = asyncio.create_task(claims.claim(ANN))
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                claims.release(ANN)

        async def let_in() -> bool:
            return await claims.claim(ANN) is None

        await until(let_in)


@pytest.mark.parametrize("seed", range(3))
async def test_the_claims_never_exceed_the_limits(any_source: RedisSource, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret
    people = [{"principal": p, "address": a} for p in "abc" for a in "xyz"]
    limits = {"principal": 4, "address": 5}
    claimed: list[tuple[StreamClaims, dict[str, str]]] = []
    refused = 0

    async def come(claims: StreamClaims, who: dict[str, str]) -> None:
        nonlocal refused
        if await claims.claim(who) is None:
            claimed.append((claims, who))
        else:
            refused += 1
        for counted, limit in limits.items():
            assert max(Counter(w[counted] for _, w in claimed).values(), default=0) <= limit

    async with (
        any_source.client("test") as client,
        claiming(client, "a", **limits) as a,
        claiming(client, "b", **limits) as b,
        claiming(client, "c", **limits) as c,
    ):
        for _ in range(60):
            crowd = [
                (draw.choice((a, b, c)), draw.choice(people)) for _ in range(draw.randint(0, 6))
            ]
            await asyncio.gather(*(come(claims, who) for claims, who in crowd))
            for _ in range(min(len(claimed), draw.randint(0, 5))):
                claims, who = claimed.pop(draw.randrange(len(claimed)))
                claims.release(who)
        while claimed:
            claims, who = claimed.pop()
            claims.release(who)

        async def nothing_counted() -> bool:
            return not any([await _counts(client, gateway) for gateway in "abc"])

        await until(nothing_counted)
    assert refused
