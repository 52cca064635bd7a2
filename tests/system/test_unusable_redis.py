"""A Redis that can never serve ends both programs with status 78 and the remedy."""

from pathlib import Path

import pytest

from shared.bus.valkey_server import ValkeyServer
from shared.process import EXIT_SETTINGS
from tests.ports import free_port
from tests.programs import program
from tests.redis_servers import QUIET, moving_address, redis_server

ALPACA = {"ALPACA_PAPER_API_KEY": "key", "ALPACA_PAPER_SECRET_KEY": "secret"}


async def _last_words(name: str, url: str) -> str:
    async with program(name, REDIS_URL=url, PORT=str(free_port()), **ALPACA) as running:
        assert await running.ended() == EXIT_SETTINGS
    return running.output.splitlines()[-1]


@pytest.mark.parametrize("name", ["ingest", "gateway"])
async def test_a_cluster_is_rejected(tmp_path: Path, name: str) -> None:
    async with redis_server(tmp_path, *QUIET, "--cluster-enabled", "yes") as node:
        await node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]

        said = await _last_words(name, f"redis://127.0.0.1:{node.port}/0")

    assert "REDIS_URL: Redis is in cluster mode" in said
    assert "use one Redis (7 or newer) or Valkey (8 or newer) that is not a cluster" in said


@pytest.mark.parametrize("name", ["ingest", "gateway"])
async def test_a_cluster_that_shows_itself_as_one_server_is_rejected_by_its_crossslot(
    tmp_path: Path, name: str
) -> None:
    as_one = (b"$7\r\ncluster\r\n", b"$10\r\nstandalone\r\n")  # as the proxy of a cluster does
    async with (
        redis_server(tmp_path, *QUIET, "--cluster-enabled", "yes") as node,
        moving_address(node.port, as_one) as (_, url),
    ):
        await node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]
        said = await _last_words(name, url)
        rejected = await node.client.info("errorstats")

    assert "REDIS_URL: Redis is in cluster mode" in said
    assert rejected["errorstat_CROSSSLOT"]["count"] > 0


@pytest.mark.parametrize("name", ["ingest", "gateway"])
async def test_a_database_that_does_not_exist_is_rejected(valkey: ValkeyServer, name: str) -> None:
    said = await _last_words(name, f"redis://127.0.0.1:{valkey.port}/99")

    assert "REDIS_URL: Redis has no database 99" in said
