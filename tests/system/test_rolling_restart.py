"""Gateways as processes that restart behind a balancer, as a deployment restarts them."""

import signal
from contextlib import AsyncExitStack

import httpx

from shared.bus.redis_source import RedisSource
from tests import rolling_restart
from tests.limits import limit
from tests.ports import free_port
from tests.processes import gateway_process
from tests.programs import Program
from tests.services import until

ENVIRONMENT = {
    "API_TOKEN": rolling_restart.TOKEN,
    "LAME_DUCK_SECONDS": str(limit(3)),
    "DRAIN_SECONDS": "0",
}
"""The balancer needs a tenth of a second to take a gateway out, on a machine that is not busy."""


async def until_taken_out(balancer: str, number: int, port: int) -> None:
    """Wait until the balancer uses a gateway no more; fail if it stops answering before."""
    headers = {"Authorization": f"Bearer {rolling_restart.TOKEN}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers=headers,
        limits=httpx.Limits(max_keepalive_connections=0),  # it must accept connections
    ) as client:

        async def is_unready() -> bool:
            # The signal may take a moment to arrive.
            answer = await client.get("/readyz")
            if answer.status_code == 200:
                return False
            assert (answer.status_code, answer.json()["reason"]) == (503, "shutting down")
            return True

        async def is_out() -> bool:
            assert await is_unready()
            assert (await client.get("/api/prices?symbols=SPY")).status_code == 200
            server = (await rolling_restart.servers(balancer))[number]
            if server["status"] != "DOWN":
                return False
            # By the gateway's answer. An asterisk means that the next check is under way.
            assert server["check_status"].removeprefix("* ") == "L7STS", server
            return True

        await until(is_unready)
        await until(is_out)


async def test_a_rolling_restart_of_processes_loses_no_request_and_each_answers_until_it_is_out(
    source: RedisSource,
) -> None:
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:

        async def start(port: int) -> Program:
            running = gateway_process(source.url, port, **ENVIRONMENT)
            return (await stack.enter_async_context(running))[1]

        gateways = [await start(port) for port in ports]
        balancer = stack.enter_context(rolling_restart.balancer(ports))
        await rolling_restart.until_both_are_up(balancer)
        async with rolling_restart.users(balancer) as answers:
            for number, port in enumerate(ports):
                gateways[number].send(signal.SIGTERM)
                await until_taken_out(balancer, number, port)
                assert await gateways[number].ended() == 0
                await start(port)
                await rolling_restart.until_both_are_up(balancer)

    assert set(answers) == rolling_restart.ANSWERED, answers
