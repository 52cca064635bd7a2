"""Redis answers a gateway with an error: its words reach the operator and the viewer."""

import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.symbol_status import SymbolState, SymbolStatus
from tests.event_stream import EventStream, open_stream
from tests.gateway.ingest_stub import IngestStub, ingest_stub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until

OOM = "OOM command not allowed when used memory > 'maxmemory'; raise Redis' maxmemory"


def of_state(state: SymbolState) -> SymbolStatus:
    return SymbolStatus(symbol="SPY", state=state, reason=None, since="2013-10-09T13:30:00Z")


@asynccontextmanager
async def limited(valkey: ValkeyServer, *rules: str) -> AsyncIterator[RedisSource]:
    """Create a user with all rights but those that ``rules`` take away; yield its address."""
    async with RedisSource(valkey.url).client("operator") as client:
        rights = ("~*", "&*", "+@all", *rules)
        await client.execute_command("ACL", "SETUSER", "limited", "on", ">secret", *rights)  # type: ignore[no-untyped-call]
        yield RedisSource(valkey.url.replace("redis://", "redis://limited:secret@"))


async def ready_of(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/readyz")
    ready: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) is ready["ready"]
    return ready


async def status_of(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url) as client:
        found: dict[str, Any] = (await client.get("/api/stream/status")).json()
        return found


def last(stream: EventStream, kind: str) -> Any:
    return stream.of(kind)[-1] if stream.of(kind) else {}


async def test_a_viewer_whose_symbol_cannot_be_claimed_sees_why_until_it_can(
    source: RedisSource,
) -> None:
    with capture_logs() as lines:
        async with ingest_stub(source) as ingest, running_gateway(source) as url:
            await ingest.client.set(KEYSPACE.interest, "another program's")
            await ingest.tell(1, "status:SPY", of_state("live"))
            await ingest.publish(2)
            await ingest.client.set(KEYSPACE.published, "1-2")
            await ingest.report(3)
            async with open_stream(url, symbols="SPY", interval="0") as stream:
                await stream.until(lambda s: last(s, "status").get("state") == "stale")
                ready, status = await ready_of(url), await status_of(url)
                await ingest.client.delete(KEYSPACE.interest)
                await stream.until(lambda s: last(s, "status").get("state") == "live")
                claims: Any = await ingest.client.hkeys(KEYSPACE.interest)

                async def is_over() -> bool:
                    return (await status_of(url))["redis"]["error"] is None

                await until(is_over)

    stale = next(each for each in stream.of("status") if each["state"] == "stale")
    assert stale["reason"].startswith(
        "this gateway cannot ask for it: Redis rejects the claim of its topics: WRONGTYPE Operation"
    )
    ids = [EventId.parse(each["event_id"]) for each in stream.of("status")]
    assert ids == sorted(ids)
    words = "Redis rejects this gateway's claims of topics: WRONGTYPE Operation against a key"
    assert (ready["ready"], ready["reason"].startswith(words)) == (True, True)
    assert status["redis"]["connected"]
    assert status["redis"]["error"] == ready["reason"]
    assert sorted(claim.split()[1] for claim in claims) == [b"price:SPY", b"status:SPY"]
    reported = [line["event"] for line in lines if line.get("work", "").endswith("of topics")]
    assert reported == ["redis_rejects", "redis_accepts"]


async def test_while_redis_rejects_the_publications_the_feed_is_down_with_its_words(
    source: RedisSource,
) -> None:
    words = f"redis_rejects: Redis rejects the ingest's publications: {OOM}"
    ready: dict[str, Any] = {}
    status: dict[str, Any] = {}
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await ingest.report(1)
        await stream.until(lambda s: last(s, "feed").get("state") == "live")
        seqs = itertools.count(2)

        async def says_why() -> bool:
            # A report is believed for seconds only, and this machine may be slow.
            await ingest.report(next(seqs), publish_error=OOM)
            ready.update(await ready_of(url))
            status.update(await status_of(url))
            return ready["reason"] == words and not status["alpaca_connected"]

        await until(says_why)
        await ingest.report(next(seqs))
        await stream.until(lambda s: last(s, "feed").get("state") == "live")

    down = next(each for each in stream.of("feed") if each["reason"] == words)
    assert (down["alpaca_connected"], down["session"]) == (False, "regular")
    assert ready == {"ready": True, "reason": down["reason"], "feed_state": "down"}
    assert (status["alpaca_connected"], status["active_symbols"]) == (False, ["IBM", "SPY"])


@pytest.mark.parametrize(
    ("rule", "work"),
    [
        ("resetchannels", "this gateway's subscription"),
        ("-mget", "this gateway's subscription"),
        ("-@scripting", "this gateway's claims of topics"),
    ],
)
async def test_a_right_that_is_missing_is_named_with_its_remedy(
    valkey: ValkeyServer, rule: str, work: str
) -> None:
    async with (
        limited(valkey, rule) as source,
        running_gateway(source) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await stream.until(
            lambda s: f"Redis rejects {work}: NOPERM" in str(last(s, "feed").get("reason"))
        )
        ready = await ready_of(url)
        async with limited(valkey), ingest_stub(RedisSource(valkey.url)) as ingest:
            await until(lambda: _reports(ingest, stream))

    feed = next(f for f in stream.of("feed") if work in f["reason"])
    assert feed["reason"].startswith("redis_rejects: ")
    assert "deploy/redis-users.acl" in feed["reason"]
    assert ready["ready"] is (rule == "-@scripting")
    assert "NOPERM" in ready["reason"]


async def _reports(ingest: IngestStub, stream: EventStream) -> bool:
    await ingest.report(1)
    return bool(last(stream, "feed").get("state") == "live")


async def test_a_gateway_that_may_not_write_values_back_claims_all_the_same(
    valkey: ValkeyServer,
) -> None:
    with capture_logs() as lines:
        async with (
            limited(valkey, "resetkeys", "~interest", "~gateway:*", "%R~*") as source,
            ingest_stub(RedisSource(valkey.url)) as ingest,
            running_gateway(source) as url,
            open_stream(url, symbols="SPY") as stream,
        ):
            await ingest.publish(1)
            await stream.until(lambda s: last(s, "price").get("price"))
            await ingest.client.client_kill_filter(_type="pubsub")
            await ingest.client.flushall()

            async def has_claimed() -> bool:
                return bool(await ingest.client.exists(KEYSPACE.interest))

            await until(has_claimed)

    # /readyz names it only until the gateway notices its lost subscription, which may be at once.
    said = [line["message"] for line in lines if line["event"] == "redis_rejects"]
    words = "Redis rejects the values that this gateway writes back: NOPERM"
    assert any(each.startswith(words) for each in said)


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_stored_report_that_clients_are_not_shown_is_a_discrepancy(
    source: RedisSource, is_stored: bool
) -> None:
    async with ingest_stub(source) as ingest, running_gateway(source) as url:

        async def is_up() -> bool:
            await ingest.report(1)
            return (await status_of(url))["alpaca_connected"] is True

        await until(is_up)
        if is_stored:  # by an ingest whose messages do not arrive here
            body: Any = await ingest.client.get(KEYSPACE.ingest_status)
            body = body.replace(b'"live"', b'"reconnecting"').replace(b"1-1", b"1-2")
            await ingest.client.set(KEYSPACE.ingest_status, body)
        else:  # by Redis, which has no memory
            await ingest.client.delete(KEYSPACE.ingest_status)
        status = await status_of(url)

    assert status["alpaca_connected"] is True
    assert status["feed"]["state"] == "live"
    assert status["discrepancy"] == (
        "the report 1-2 in Redis says reconnecting, but this gateway shows its clients live "
        "(no reason given); of the ingest's reports it received 1-1"
        if is_stored
        else "Redis stores no report, but this gateway received 1-1 from it"
    )


@pytest.mark.parametrize("forged", [b"\xff", b'{"event_id":"x"}', b"[]"])
async def test_a_stored_report_of_another_program_counts_as_none(
    source: RedisSource, forged: bytes
) -> None:
    async with ingest_stub(source) as ingest, running_gateway(source) as url:
        await ingest.report(1)
        if forged.startswith(b"{"):
            stored: Any = await ingest.client.get(KEYSPACE.ingest_status)
            forged = stored.replace(b'"1-1"', b'"x"')
        await ingest.client.set(KEYSPACE.ingest_status, forged)
        status = await status_of(url)

    assert status["gateways"]
    assert "x" not in str(status["ingest"] and status["ingest"]["event_id"])


async def test_a_redis_that_cannot_write_its_snapshot_is_named_until_it_can(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with source.client("operator") as operator:
        settings: Any = await operator.config_get("dir")
        shutil.rmtree(settings["dir"])
        await operator.config_set("save", "3600 1")
        await operator.bgsave()

        async def has_failed() -> bool:
            found: Any = await operator.info(section="persistence")
            return bool(found["rdb_last_bgsave_status"] == "err")

        await until(has_failed)
        async with running_gateway(source) as url, open_stream(url, symbols="SPY") as stream:
            await stream.until(lambda s: "MISCONF" in str(last(s, "feed").get("reason")))
            ready = await ready_of(url)
            await operator.config_set("save", "")
            await stream.until(lambda s: "ingest_lost" in str(last(s, "feed").get("reason")))

    assert (ready["ready"], "MISCONF" in ready["reason"]) == (False, True)


async def test_a_command_that_is_rejected_for_a_request_reaches_the_operator_too(
    valkey: ValkeyServer,
) -> None:
    async with (
        limited(valkey, "resetkeys", "~interest", "~gateway:*", "%R~ingest:*") as source,
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        ticket = await client.post("/api/stream/ticket")
        reason = (await ready_of(url))["reason"]

    assert ticket.json()["error"]["message"].startswith("Redis rejected a command: NOPERM")
    assert "commands for requests of clients: NOPERM" in reason
