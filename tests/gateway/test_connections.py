"""The number of connections to Redis that docs/operations.md gives for each process."""

import asyncio
from collections import Counter

import httpx
import pytest
from redis.asyncio import Redis

from shared.bus import redis_pool, redis_source
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import open_stream
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, running_ingest, until

OURS = ("observer", "between-tests")
USUAL = {"gateway": 2, "gateway-subscriber": 1, "ingest": 3, "ingest-subscriber": 2}


async def _names(observer: Redis) -> Counter[str]:
    clients = await observer.client_list()
    return Counter(each["name"] for each in clients if each["name"] not in OURS)


async def test_a_hundred_and_fifty_tickets_at_once_need_no_more_connections_than_the_limit(
    source: RedisSource,
) -> None:
    async with (
        source.client("observer", connections=1) as observer,
        running_gateway(source, api_token="token") as url,
        httpx.AsyncClient(
            base_url=url, limits=httpx.Limits(max_connections=150), timeout=LIMIT_SECONDS
        ) as client,
    ):
        answers = await asyncio.gather(
            *(
                client.post("/api/stream/ticket", headers={"Authorization": "Bearer token"})
                for _ in range(150)
            )
        )
        names = await _names(observer)  # the connections stay open for a while

    assert Counter(a.text if a.status_code != 201 else "" for a in answers) == {"": 150}
    assert names["gateway"] <= redis_source.COMMAND_CONNECTIONS
    assert set(names) == {"gateway", "gateway-subscriber"}


async def test_a_quiet_deployment_has_few_connections(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_pool, "IDLE_SECONDS", 0.5)
    async with (
        source.client("observer", connections=1) as observer,
        Simulator(SimulatorSettings(plan="plus")) as market,
        running_ingest(source, market),
        running_gateway(source) as url,
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until(lambda s: len(s.of("price")) > 2)

        async def few() -> bool:
            names = await _names(observer)
            return set(names) == set(USUAL) and all(names[n] <= USUAL[n] for n in USUAL)

        await until(few)


async def test_a_gateway_whose_connections_are_in_use_does_not_call_redis_unavailable(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = 2 * redis_source.COMMAND_CONNECTIONS
    async with (
        source.client("observer", connections=1) as observer,
        running_gateway(source, api_token="token") as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer token"}) as client,
    ):
        monkeypatch.setattr(redis_pool, "WAIT_SECONDS", 0.01)
        await observer.client_pause(10_000_000, all=False)  # writes wait, reads do not
        answers = [asyncio.create_task(client.post("/api/stream/ticket")) for _ in range(tickets)]
        rejected = await next(asyncio.as_completed(answers))
        status = await client.get("/api/stream/status")
        await observer.client_unpause()
        served = {answer.status_code for answer in await asyncio.gather(*answers)}

    assert rejected.status_code == 503
    assert rejected.json()["error"]["code"] == "redis_busy"
    assert status.json()["redis"]["connected"] is True
    assert served == {201, 503}
