"""From a gateway's request through Redis to the ingest, and back."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from gateway import composition
from gateway.bus import ingest_requests
from gateway.bus.ingest_requests import (
    IngestRequests,
    NoIngestError,
    RequestFailedError,
    RequestTimeoutError,
    TooManyRequestsError,
)
from gateway.bus.redis_clients import gateway_redis_clients
from gateway.http.open_files import OpenFiles
from gateway.settings import GatewaySettings
from ingest.bus import requests
from ingest.bus.lease import Lease
from ingest.bus.requests import KeptReplies, RequestResponder
from ingest.upstream.answered import Answered
from shared import request
from shared.bus import keys
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.request import BarsReply, BarsRequest, Failure, Request
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until

BAR = b'{"symbol":"SPY","close":1.5}'


@asynccontextmanager
async def running(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        yield
        assert not any(task.done() for task in tasks), "it has ended"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def gateway(source: RedisSource) -> AsyncIterator[IngestRequests]:
    """Run those parts of a real gateway that requests need."""
    settings = GatewaySettings(_env_file=None)  # type: ignore[call-arg]
    files = OpenFiles(1_000, settings.max_clients, time.time)
    async with gateway_redis_clients(source) as redis:
        made = composition.compose(settings, redis, composition.Surroundings(), files)
        async with running(made.subscriber.run, made.inbox.run, made.requests.run):
            yield made.requests


class Upstream:
    """What the ingest would get from REST; it counts, and waits if a test says so."""

    def __init__(self, *, seconds: float = 60.0) -> None:
        self.asked: list[BarsRequest] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.seconds = seconds
        self.failure: Failure | None = None

    async def answer(self, asked: Request) -> Answered:
        assert isinstance(asked, BarsRequest)
        self.asked.append(asked)
        await self.goes_on.wait()
        if self.failure is not None:
            return Answered(self.failure, self.seconds)
        bars = {symbol: [(0, msgspec.Raw(BAR))] for symbol in asked.symbols}
        return Answered(BarsReply(bars=bars, complete_from={}), self.seconds)


@asynccontextmanager
async def ingest(
    source: RedisSource, upstream: Upstream, malformed: MalformedStored | None = None
) -> AsyncIterator[Redis]:
    """Run a leading ingest's responder."""
    async with (
        source.client("ingest") as client,
        source.client("ingest-subscriber", subscriber=True) as subscriber,
    ):
        lease = Lease(client, KEYSPACE, f"ingest-{time.monotonic_ns()}")
        await until(lambda: lease.claim())
        responder = RequestResponder(
            client,
            subscriber,
            KEYSPACE,
            lease,
            upstream.answer,
            Rejections(),
            malformed or MalformedStored(),
            time.monotonic,
        )
        async with running(lease.renew, responder.run):
            yield client


def bars(*symbols: str, start: int = 0, timeframe: str = "1Min") -> BarsRequest:
    names = tuple(sorted(symbols))
    return BarsRequest(symbols=names, timeframe=timeframe, start=start, end=start + 60, limit=5)


async def test_two_gateways_that_ask_the_same_at_once_cause_one_request(
    any_source: RedisSource,
) -> None:
    upstream = Upstream()
    upstream.goes_on.clear()
    async with (
        ingest(any_source, upstream),
        gateway(any_source) as first,
        gateway(any_source) as second,
    ):
        asking = [
            asyncio.create_task(each.ask(bars(*symbols)))
            for each, symbols in ((first, ["SPY", "IBM"]), (second, ["IBM", "SPY"]))
            for _ in range(3)
        ]
        await until(lambda: bool(upstream.asked))
        upstream.goes_on.set()
        async with asyncio.timeout(LIMIT_SECONDS):
            replies = await asyncio.gather(*asking)
        later = await second.ask(bars("SPY", "IBM"))

    assert [each.symbols for each in upstream.asked] == [("IBM", "SPY")]
    expected = BarsReply(
        bars={s: [(0, msgspec.Raw(BAR))] for s in ("IBM", "SPY")}, complete_from={}
    )
    assert [later, *replies] == [expected] * 7


async def test_a_reply_comes_by_its_notice_before_the_next_look(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_requests, "LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(requests, "POLL_SECONDS", 3600.0)
    monkeypatch.setattr(keys, "REQUEST_MILLISECONDS", int(LIMIT_SECONDS * 1000))
    monkeypatch.setattr(requests, "LONGEST_MILLISECONDS", 4 * keys.REQUEST_MILLISECONDS)
    upstream = Upstream()
    async with ingest(source, upstream) as client, gateway(source) as asking:
        # Nudges are only received by those who listen already.
        await until(lambda: _listens(client, KEYSPACE.requests_channel))
        await until(lambda: _listens(client, "gateway:*", pattern=True))
        reply = await asking.ask(bars("SPY"))

    assert isinstance(reply, BarsReply)


async def _listens(client: Redis, channel: str, *, pattern: bool = False) -> bool:
    if pattern:
        return bool(await client.pubsub_channels(channel))
    [(_, count)] = await client.pubsub_numsub(channel)
    return bool(count)


async def has_requests(client: Redis) -> bool:
    return bool(await client.hlen(KEYSPACE.requests))


async def test_a_lost_notice_costs_no_more_than_the_next_look(source: RedisSource) -> None:
    async with source.client("bare") as client, gateway(source) as asking:
        task = asyncio.create_task(asking.ask(bars("SPY")))
        await until(lambda: has_requests(client))
        body = request.encode(BarsReply(bars={}, complete_from={}))
        digest = request.digest_of(request.encode(bars("SPY")))
        await client.set(KEYSPACE.reply(digest), body)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert isinstance(await task, BarsReply)


async def test_what_one_leader_has_not_answered_the_next_one_does(source: RedisSource) -> None:
    first, second = Upstream(), Upstream()
    first.goes_on.clear()
    async with AsyncExitStack() as stack, gateway(source) as asking:
        client = await stack.enter_async_context(ingest(source, first))
        task = asyncio.create_task(asking.ask(bars("SPY")))
        await until(lambda: bool(first.asked))
        await client.delete(KEYSPACE.lease)
        await stack.aclose()
        async with ingest(source, second):
            async with asyncio.timeout(LIMIT_SECONDS):
                reply = await task

    assert isinstance(reply, BarsReply)
    assert len(second.asked) == 1


async def test_a_request_that_ends_during_a_reading_is_not_answered_again(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Upstream()
    upstream.goes_on.clear()
    read, ended = RequestResponder._shown_requests, asyncio.Event()

    async def late(responder: RequestResponder) -> list[Any]:
        """Let the request end while the answer of a reading that shows it is on its way."""
        found = await read(responder)
        if upstream.asked and not ended.is_set():
            upstream.goes_on.set()
            await until(lambda: not responder._under_way)
            ended.set()
        return found

    monkeypatch.setattr(RequestResponder, "_shown_requests", late)
    async with ingest(source, upstream), gateway(source) as asking:
        async with asyncio.timeout(LIMIT_SECONDS):
            await asking.ask(bars("SPY"))
            await ended.wait()
            # The next request comes after the reading.
            await asking.ask(bars("IBM"))

    assert [each.symbols for each in upstream.asked] == [("SPY",), ("IBM",)]


async def test_a_leader_that_has_been_replaced_stores_no_reply(source: RedisSource) -> None:
    upstream = Upstream()
    upstream.goes_on.clear()
    async with ingest(source, upstream) as client, gateway(source) as asking:
        task = asyncio.create_task(asking.ask(bars("SPY")))
        await until(lambda: bool(upstream.asked))
        await client.set(KEYSPACE.epoch, 1 << 50)
        upstream.goes_on.set()
        # It is asked again for as long as the request waits, and no reply is stored.
        await until(lambda: len(upstream.asked) > 1)
        digest = request.digest_of(request.encode(bars("SPY")))
        assert not await client.exists(KEYSPACE.reply(digest))
        task.cancel()


@pytest.mark.parametrize("has_ingest", [True, False])
async def test_no_reply_in_time_is_an_error_that_says_whether_an_ingest_leads(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, *, has_ingest: bool
) -> None:
    monkeypatch.setattr(keys, "REQUEST_MILLISECONDS", 300)
    upstream = Upstream()
    upstream.goes_on.clear()
    async with AsyncExitStack() as stack, gateway(source) as asking:
        if has_ingest:
            await stack.enter_async_context(ingest(source, upstream))
        with pytest.raises(RequestTimeoutError if has_ingest else NoIngestError) as error:
            await asking.ask(bars("SPY"))

    assert ("within 0.3 s" if has_ingest else "no ingest leads") in str(error.value)


async def test_a_failure_is_the_reply_and_is_not_repeated_at_once(source: RedisSource) -> None:
    upstream = Upstream()
    upstream.failure = Failure(code="upstream_failed", message="HTTP 500")
    async with ingest(source, upstream), gateway(source) as asking:
        for _ in range(3):
            with pytest.raises(RequestFailedError, match="HTTP 500"):
                await asking.ask(bars("SPY"))

    assert len(upstream.asked) == 1


GARBAGE = {
    "no name of ours": b"9 x",
    "0" * 40: b"no deadline",
    "1" * 40: b"99999999999999999 {}",  # a deadline in the far future
    "f" * 40: None,  # a request under another name
    hashlib.sha256(b"{}").hexdigest()[:40]: b"{}",
}


async def test_garbage_among_the_requests_is_counted_and_dropped(source: RedisSource) -> None:
    malformed = MalformedStored()
    async with source.client("other") as client, gateway(source) as asking:
        soon = int(time.time() * 1000 + 5_000)
        for name, value in GARBAGE.items():
            body = value if value is not None else request.encode(bars("SPY"))
            is_bare = value is None or value == b"{}"
            await client.hset(KEYSPACE.requests, name, b"%d %b" % (soon, body) if is_bare else body)
        async with ingest(source, Upstream(), malformed):
            assert isinstance(await asking.ask(bars("SPY")), BarsReply)
            await until(lambda: malformed.count == len(GARBAGE))
            assert await client.hlen(KEYSPACE.requests) == 0


async def test_a_flood_of_distinct_requests_is_bounded(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REQUESTS_AT_MOST", 20)
    upstream = Upstream()
    upstream.goes_on.clear()
    async with (
        ingest(source, upstream) as client,
        gateway(source) as first,
        gateway(source) as second,
    ):
        asking = [
            asyncio.create_task(each.ask(bars(symbol, start=60 * number)))
            for number in range(15)
            for each, symbol in ((first, "SPY"), (second, "IBM"))
        ]
        await until(lambda: sum(task.done() for task in asking) == 10)
        assert await client.hlen(KEYSPACE.requests) == 20
        await until(lambda: len(upstream.asked) == requests.ANSWERED_AT_ONCE)
        upstream.goes_on.set()
        async with asyncio.timeout(LIMIT_SECONDS):
            replies = await asyncio.gather(*asking, return_exceptions=True)

    refused = [each for each in replies if isinstance(each, TooManyRequestsError)]
    assert "20 requests wait" in str(refused[0])
    assert len(replies) - len(refused) == sum(isinstance(each, BarsReply) for each in replies)
    assert len(upstream.asked) == 20


async def test_a_client_that_leaves_costs_no_other_its_reply(source: RedisSource) -> None:
    upstream = Upstream()
    upstream.goes_on.clear()
    async with ingest(source, upstream), gateway(source) as asking:
        leaving, staying = (asyncio.create_task(asking.ask(bars("SPY"))) for _ in range(2))
        await until(lambda: bool(upstream.asked))
        leaving.cancel()
        await asyncio.wait([leaving])
        upstream.goes_on.set()
        async with asyncio.timeout(LIMIT_SECONDS):
            assert isinstance(await staying, BarsReply)


def test_replies_beyond_the_room_in_redis_are_kept_no_longer_than_they_are_awaited() -> None:
    now = 0.0
    kept = KeptReplies(lambda: now)
    least = keys.REQUEST_MILLISECONDS / 1000
    assert kept.keep(requests.REPLIES_BYTES, 300.0) == 300.0
    assert kept.keep(1, 300.0) == least
    now = 301.0
    assert kept.keep(1, 300.0) == 300.0
