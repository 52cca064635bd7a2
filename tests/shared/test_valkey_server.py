import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyError, ValkeyServer
from tests.limits import LIMIT_SECONDS
from tests.services import until
from tests.tcp_server import tcp_server

ROOT = Path(__file__).parents[2]

OWNER = """
import asyncio, uvloop
from shared.bus.valkey_server import ValkeyServer

async def main():
    async with ValkeyServer() as server:
        print(server.pid, flush=True)
        await asyncio.sleep(600)

{loop}.run(main())
"""


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _watchers(server: int) -> set[int]:
    """Return the shells in the session of a server, which it leads."""
    found = set()
    for process in psutil.process_iter(["name"]):
        with suppress(ProcessLookupError):
            if process.info["name"] == "sh" and os.getsid(process.pid) == server:
                found.add(process.pid)
    return found


async def _answers(server: ValkeyServer) -> bool:
    async with RedisSource(server.url).client("test") as client:
        with suppress(*REDIS_ERRORS):
            return bool(await client.ping())
    return False


async def test_it_answers_and_its_policy_never_evicts(valkey: ValkeyServer) -> None:
    async with RedisSource(valkey.url).client("test") as client:
        await client.set("price:SPY", b"{}")
        assert await client.get("price:SPY") == b"{}"
        assert (await client.config_get("maxmemory-policy")) == {"maxmemory-policy": "noeviction"}
        assert (await client.config_get("save"))["save"] == ""


async def test_leaving_the_block_leaves_neither_server_nor_watcher_nor_files() -> None:
    async with ValkeyServer() as server:
        pid, folder = server.pid, server._folder
        ours = _watchers(pid)
        assert len(ours) == 1
        assert folder.is_dir()

    assert not _alive(pid)
    assert not folder.exists()
    await until(lambda: not any(_alive(watcher) for watcher in ours))


async def test_a_server_that_was_killed_is_started_again_on_the_same_port() -> None:
    async with ValkeyServer() as server:
        first, port = server.pid, server.port
        keeping = asyncio.create_task(server.run())
        old_watchers = _watchers(first)
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid != first)
        await until(lambda: not any(_alive(watcher) for watcher in old_watchers))

        assert server.port == port
        await until(lambda: _answers(server))
        keeping.cancel()
        await asyncio.wait([keeping])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_server_dies_with_its_parent_even_by_sigkill(loop: str) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER.format(loop=loop),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert owner.stdout is not None
    async with asyncio.timeout(LIMIT_SECONDS):
        pid = int(await owner.stdout.readline())
    assert _alive(pid)
    watchers = _watchers(pid)

    owner.kill()
    await owner.wait()

    await until(lambda: not _alive(pid))
    await until(lambda: not any(_alive(watcher) for watcher in watchers))


async def test_a_port_in_use_is_an_error_that_names_it() -> None:
    async with tcp_server(lambda reader, _writer: reader.read()) as port:
        with pytest.raises(ValkeyError, match=f"port {port}"):
            await ValkeyServer(port).__aenter__()


async def test_stopping_twice_and_starting_again_is_allowed() -> None:
    async with ValkeyServer() as server:
        await server.stop()
        await server.stop()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server.port)
        await server.start()
        assert await _answers(server)
