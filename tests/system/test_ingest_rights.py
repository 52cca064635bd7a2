"""An ingest that lacks a right in Redis reports it with the remedy, and goes on once it has it."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.programs import Program, ingest_environment, program
from tests.services import running_gateway, until

RIGHTS = "deploy/redis-users.acl has those that it needs"
PASSWORD = "correct the user or the password in REDIS_URL"


class Limited:
    """An ingest whose Redis user has all rights but some."""

    def __init__(self, operator: Redis, running: Program) -> None:
        self._operator = operator
        self._running = running

    async def allow(self, rule: str) -> None:
        await set_user(self._operator, rule)

    def logged(self, event: str) -> list[str]:
        return [each for each in self._running.output.splitlines() if f'"{event}"' in each]


async def set_user(operator: Redis, *rules: str) -> None:
    await operator.execute_command("ACL", "SETUSER", "limited", *rules)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def limited(valkey: ValkeyServer, rule: str) -> AsyncIterator[Limited]:
    """Run an ingest as a process, with a user that a rule limits; it must end as it should."""
    async with (
        RedisSource(valkey.url).client("operator") as operator,
        Simulator(SimulatorSettings(port=0)) as simulator,
    ):
        await set_user(operator, "on", ">secret", "~*", "&*", "+@all", rule)
        url = valkey.url.replace("redis://", "redis://limited:secret@")
        environment = ingest_environment(simulator, url)
        async with program("ingest", LOG_FORMAT="json", **environment) as running:
            yield Limited(operator, running)
            running.send(signal.SIGTERM)
            assert await running.ended() == 0, running.output
    assert "Traceback" not in running.output
    assert "secret" not in running.output


def is_served(stream: EventStream) -> bool:
    feeds = stream.of("feed")
    has_price = any(price["price"] is not None for price in stream.of("price"))
    return has_price and bool(feeds) and feeds[-1]["state"] == "live"


@pytest.mark.parametrize(
    ("taken", "given", "answer", "remedy"),
    [
        ("-@scripting", "+@scripting", "NOPERM", RIGHTS),
        ("resetpass", ">secret", "WRONGPASS", PASSWORD),
        ("resetkeys", "~*", "NOPERM", RIGHTS),
    ],
)
async def test_an_ingest_that_may_not_claim_the_lease_says_why_once_and_leads_when_it_may(
    valkey: ValkeyServer, taken: str, given: str, answer: str, remedy: str
) -> None:
    async with (
        limited(valkey, taken) as ingest,
        running_gateway(RedisSource(valkey.url)) as url,
        open_stream(url, symbols="SPY") as stream,
    ):
        await until(lambda: bool(ingest.logged("standing_by")))
        await ingest.allow(given)
        await stream.until(is_served)

    [line] = ingest.logged("standing_by")
    assert f"Redis at redis://127.0.0.1:{valkey.port}/0 rejects the claim: {answer}" in line
    assert remedy in line


async def test_an_ingest_that_may_use_no_channel_says_so_where_operators_look(
    valkey: ValkeyServer,
) -> None:
    works = ("the report", "the subscription to changes of the watched topics")
    status: dict[str, Any] = {}
    alarms: dict[str, str] = {}
    async with (
        limited(valkey, "resetchannels") as ingest,
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
        open_stream(url, symbols="SPY") as stream,
    ):

        async def is_reported() -> bool:
            status.update((await client.get("/api/stream/status")).json())
            reported = (status["ingest"] or {}).get("alarms", ())
            alarms.update({each["code"]: each["text"] for each in reported})
            text = alarms.get("redis_rejects", "")
            is_whole = all(f"Redis rejects {work}: NOPERM" in text for work in works)
            return is_whole and "events_rejected" in alarms

        await until(is_reported)
        await ingest.allow("&*")
        await stream.until(is_served)

        async def is_over() -> bool:
            accepted = "".join(ingest.logged("redis_accepts"))
            return all(f'"{work}"' in accepted for work in works)

        await until(is_over)

    assert "of the ingest's reports it received none lately" in status["discrepancy"]
    for work in works:
        assert f"Redis rejects {work}: NOPERM" in alarms["redis_rejects"]
        [line] = [each for each in ingest.logged("redis_rejects") if f'"{work}"' in each]
        assert RIGHTS in line
    assert ": NOPERM " in alarms["events_rejected"]
    assert RIGHTS in ingest.logged("event_rejected")[0]
