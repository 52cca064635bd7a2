"""The users of deploy/redis-users.acl: both programs do all of their work, and nothing else."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import server_binary
from shared.topics import KINDS, WITHOUT_SYMBOL
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import open_stream
from tests.ports import free_port
from tests.programs import ROOT
from tests.services import running_gateway, running_ingest, until

DEPLOY = ROOT / "deploy"
TOKEN = {"Authorization": "Bearer token"}
INGEST, GATEWAY = "in/gest's pass&word $1", "gateway#\\2@%"
"""Any character may occur in a password, and hence in the script's commands."""

RARELY_USED = {
    "select",  # with another database
    "srem",  # when a gateway has died
    "rename",  # a history with entries of another program is put aside
    "pubsub|numsub",  # every five seconds
    "ttl",  # once an hour
    "zrem",  # when bars are filled
    "zrangebyscore",  # likewise
    "zremrangebyrank",  # when a bar has ended
    "pttl",  # by a standby
}

TOPICS = (
    "price:SPY,trade:SPY,quote:SPY,status:SPY,bar.1Min:SPY,bar.1Day:SPY,news:*,position:*,orders,"
    "account"
)


class Server:
    """A server with the two users, and a third one for the test's own commands."""

    def __init__(self, port: int) -> None:
        self._port = port

    def source(self, user: str, password: str, namespace: str | None = None) -> RedisSource:
        url = f"redis://{user}:{quote(password, safe='')}@127.0.0.1:{self._port}/0"
        return RedisSource(url, namespace)

    def ingest(self, namespace: str | None = None) -> RedisSource:
        return self.source("ingest", INGEST, namespace)

    def gateway(self, namespace: str | None = None) -> RedisSource:
        return self.source("gateway", GATEWAY, namespace)

    def operator(self) -> Redis:
        return self.source("operator", "operator").client("operator")


@asynccontextmanager
async def server_with_users(folder: Path, prefix: str = "") -> AsyncIterator[Server]:
    """Start a server as the documents say; ``prefix`` is that of a namespace."""
    shutil.copy(DEPLOY / "start-valkey.sh", folder)
    users = (DEPLOY / "redis-users.acl").read_text()
    if prefix:
        users = re.sub("[~&]", rf"\g<0>{prefix}", users)
    operator = "user operator on >operator ~* &* +@all\n"
    (folder / "redis-users.acl").write_text(users + operator)
    server = Server(free_port())
    options = ("--port", str(server._port), "--save", "", "--dir", str(folder))
    process = await asyncio.create_subprocess_exec(
        "sh",
        str(folder / "start-valkey.sh"),
        str(server_binary()),
        *options,
        env={
            "PATH": "/usr/bin:/bin",
            "REDIS_INGEST_PASSWORD": INGEST,
            "REDIS_GATEWAY_PASSWORD": GATEWAY,
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with Redis(port=server._port) as health:
            await until(lambda: _answers(health))  # as a health check: without a password
        yield server
    finally:
        process.kill()
        await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def users(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server with the users, for tests that leave nothing behind."""
    async with server_with_users(tmp_path_factory.mktemp("users")) as server:
        yield server


async def _answers(client: Redis) -> bool:
    with suppress(RedisConnectionError):
        return bool(await client.ping())
    return False


async def use_everything(one: str, other: str, simulator: Simulator, operator: Redis) -> None:
    """Make two gateways and their ingest do all that they do with Redis."""
    async with (
        httpx.AsyncClient(base_url=one, headers=TOKEN) as client,
        httpx.AsyncClient(base_url=other, headers=TOKEN) as another,
        open_stream(one, "/api/stream", topics=TOPICS, headers=TOKEN) as stream,
    ):
        for kind in ("price", "trade", "position", "account"):
            await stream.until(lambda s, kind=kind: s.of(kind))  # type: ignore[misc]
        await stream.until(lambda s: any(price["price"] for price in s.of("price")))
        hello = stream.of("hello")[0]
        patched = await another.patch(
            f"/api/stream/{hello['stream_id']}", json={"add": ["price:IBM", "trade:IBM"]}
        )
        assert patched.status_code == 200, patched.text
        ticket = (await client.post("/api/stream/ticket")).json()["ticket"]
        cursor = stream.of("heartbeat")[-1]["event_id"] if stream.of("heartbeat") else "1-1"
        resumed = {"topics": "trade:SPY,news:*", "ticket": ticket, "last_event_id": cursor}
        async with open_stream(other, "/api/stream", **resumed) as second:
            await second.until_kind("ready")
        older = "bars?symbols=IBM&timeframe=1Hour&adjustment=raw"  # of the ingest alone
        for path in ("prices?symbols=SPY", "positions", "bars?symbols=SPY", older, "stream/status"):
            answer = await client.get(f"/api/{path}")
            assert answer.status_code == 200, (path, answer.text)
        await operator.flushall()
        before = len(stream.of("trade"))
        await stream.until(lambda s: len(s.of("trade")) > before)


async def denials(operator: Redis) -> list[str]:
    """Return what Redis has denied to our users: ``<user> <reason> <object>``."""
    entries: Any = await operator.acl_log()
    found = [f"{e['username']} {e['reason']} {e['object']}" for e in entries]
    return [each for each in found if not each.startswith("default ")]


async def test_both_programs_do_all_their_work_as_the_users_with_the_fewest_rights(
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {"api_token": "token", "max_streams_per_principal": 50}
    async with (
        server_with_users(tmp_path) as server,
        server.operator() as operator,
        Simulator(SimulatorSettings(port=0)) as simulator,
    ):
        with capture_logs() as lines:
            async with (
                running_ingest(server.ingest(), simulator),
                running_ingest(server.ingest(), simulator),  # a standby
                running_gateway(server.gateway(), **settings) as one,
                running_gateway(server.gateway(), **settings) as other,
            ):
                await use_everything(one, other, simulator, operator)
        denied = await denials(operator)
        used: Any = await operator.info("commandstats")

    assert denied == []
    assert [line for line in lines if line["event"] == "redis_rejects"] == []
    unused = granted() - {name.removeprefix("cmdstat_") for name in used}
    assert unused <= RARELY_USED


def granted() -> set[str]:
    """Return the commands that the file grants."""
    text = (DEPLOY / "redis-users.acl").read_text()
    return set(re.findall(r" \+([a-z|]+)", text))


@pytest.mark.parametrize(
    "command",
    [
        "PUBLISH price:SPY x",
        "PUBLISH ingest:status x",
        "PUBLISH account x",
        "SET price:SPY 1",
        "SET {price:SPY}:history 1",
        "SET ingest:lease me",
        "DEL ingest:epoch",
        "XADD {trade:SPY}:history * data x",
        "EVAL return(redis.call('SET','price:SPY','1')) 0",
        "EVALSHA_OF return(redis.call('PUBLISH','price:SPY','x')) 0",
        "EVALSHA_OF return(redis.call('SET','ingest:status','x')) 0",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "KEYS *",
        "SUBSCRIBE interest",
    ],
)
async def test_a_gateways_password_publishes_no_price_and_writes_nothing_of_the_ingests(
    users: Server, command: str
) -> None:
    words = command.split()
    async with users.gateway().client("intruder") as client:
        if words[0] == "EVALSHA_OF":
            words[:2] = ["EVALSHA", await client.script_load(words[1])]
        with pytest.raises(ResponseError, match=r"permission|can't access"):
            await client.execute_command(*words)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "command", ["GET ticket:x", "SET ticket:x 1", "HSET interest a b", "FLUSHALL"]
)
async def test_an_ingests_password_writes_no_ticket_and_no_claim(
    users: Server, command: str
) -> None:
    async with users.ingest().client("intruder") as client:
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_without_its_password_a_user_gets_nothing(users: Server, password: str) -> None:
    async with users.source("gateway", password).client("intruder") as client:
        with pytest.raises((AuthenticationError, NoPermissionError)):
            await client.get("ingest:lease")


async def test_with_a_namespace_the_rights_have_its_prefix(tmp_path: Path) -> None:
    async with (
        server_with_users(tmp_path, "tape:") as server,
        server.operator() as operator,
        Simulator(SimulatorSettings(port=0)) as simulator,
        running_ingest(server.ingest("tape"), simulator),
        running_gateway(server.gateway("tape"), api_token="token") as url,
        open_stream(url, symbols="SPY", headers=TOKEN) as stream,
    ):
        await stream.until(lambda s: any(price["price"] for price in s.of("price")))
        await stream.until(lambda s: s.of("feed")[-1]["state"] == "live")
        denied = await denials(operator)

    assert denied == []


def test_every_topic_of_the_product_is_allowed() -> None:
    text = (DEPLOY / "redis-users.acl").read_text()
    lines = [line for line in text.splitlines() if line.startswith("user ")]

    for line in lines[1:]:
        allowed = re.findall(r" &(\S+)", line)
        for kind in KINDS:
            name = kind if kind in WITHOUT_SYMBOL else f"{kind}:SPY"
            assert any(fnmatch(name, pattern) for pattern in allowed), (line.split()[1], name)
