"""Finding the master by real sentinels, of which some may be down or ask for a password."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.errors import BusUnreachableError, BusUnusableError, bus_errors
from shared.bus.redis_source import RedisSource
from tests.ports import free_port
from tests.redis_servers import QUIET, RedisServer, redis_server


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, RedisServer]]:
    """A master and its one sentinel, which has the user ``ann`` with the password ``p/w``."""
    async with redis_server(tmp_path, *QUIET) as master:
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\nuser ann on >p/w ~* &* +@all\n"
        )
        async with redis_server(tmp_path, str(configuration), "--sentinel") as sentinel:
            yield master, sentinel


async def _port_of(url: str) -> int:
    source = RedisSource(url)
    async with source.client("one") as client:
        with bus_errors():
            await client.ping()
        [(_, port)] = source.addresses
        return port


async def test_a_sentinel_that_is_down_is_passed_over(
    watched: tuple[RedisServer, RedisServer],
) -> None:
    master, sentinel = watched

    found = await _port_of(
        f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/mymaster"
    )

    assert found == master.port


async def test_sentinels_have_their_own_credentials(
    watched: tuple[RedisServer, RedisServer],
) -> None:
    master, sentinel = watched
    await sentinel.client.execute_command("ACL", "SETUSER", "default", "off")  # type: ignore[no-untyped-call]
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster/0"

    with pytest.raises(BusUnreachableError, match="no sentinel names the master"):
        await _port_of(url)
    assert master.port == await _port_of(f"{url}?sentinel_username=ann&sentinel_password=p%2Fw")


async def test_a_name_that_no_sentinel_knows_is_shown(
    watched: tuple[RedisServer, RedisServer],
) -> None:
    told = "no sentinel names the master: a sentinel knows no master 'others'"
    with pytest.raises(BusUnreachableError, match=told):
        await _port_of(f"redis+sentinel://127.0.0.1:{watched[1].port}/others")


async def test_a_sentinel_in_place_of_redis_is_rejected_with_the_form_of_its_url(
    watched: tuple[RedisServer, RedisServer],
) -> None:
    with pytest.raises(BusUnusableError, match=r"this is a sentinel: use redis\+sentinel://"):
        await _port_of(f"redis://127.0.0.1:{watched[1].port}/0")
