"""Commands and the subscription of a gateway are on one server, whatever moved only one of them."""

from pathlib import Path

import pytest

from gateway.bus import subscriber
from shared.bus.redis_source import RedisSource
from tests.redis_servers import QUIET, moving_address, redis_server
from tests.services import running_gateway, until


async def test_a_subscription_follows_the_commands_to_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PING_SECONDS", 0.05)
    async with (
        redis_server(tmp_path, *QUIET) as old,
        redis_server(tmp_path, *QUIET) as new,
        moving_address(old.port) as (address, url),
        running_gateway(RedisSource(url)),
    ):

        async def subscribed() -> bool:
            return "gateway-subscriber" in await old.names()

        await until(subscribed)
        address.target = new.port
        for each in await old.client.client_list():
            if each["name"] == "gateway":
                await old.client.client_kill_filter(_id=each["id"])

        async def moved() -> bool:
            return "gateway-subscriber" in await new.names()

        await until(moved)
        assert await old.names() == []
