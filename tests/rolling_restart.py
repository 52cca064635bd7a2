"""A balancer that sends each request to one of two gateways, once, and its users."""

import asyncio
import csv
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

import httpx

from tests.ports import free_port
from tests.proxies import haproxy
from tests.services import until

TOKEN = "the-token-of-all-gateways"
"""``API_TOKEN`` of both gateways."""

ANSWERED = {"price 200", "ticket 201", "stream 200"}
"""What ``users`` count if no request fails."""

_BACKEND = """
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 50ms fall 2 rise 1
    server one 127.0.0.1:{}
    server two 127.0.0.1:{}
    stats enable
    stats uri /balancer
"""
_NO_SECOND_ATTEMPT = "retries 0\n    no option redispatch"


def balancer(ports: Sequence[int]) -> AbstractContextManager[str]:
    """Run HAProxy before the gateways of two ports; it repeats no request. Yields its URL."""
    return haproxy(free_port(), _BACKEND.format(*ports), defaults=_NO_SECOND_ATTEMPT)


async def servers(url: str) -> list[dict[str, str]]:
    """Return what the balancer knows of each gateway: ``status``, ``check_code`` and so on."""
    async with httpx.AsyncClient() as client:
        table = (await client.get(f"{url}/balancer;csv")).text.splitlines()
    return [row for row in csv.DictReader(table) if row["svname"] in {"one", "two"}]


async def until_both_are_up(url: str) -> None:
    """Wait until the balancer sends requests to both gateways."""

    async def both() -> bool:
        return [each["status"] for each in await servers(url)] == ["UP", "UP"]

    await until(both)


@asynccontextmanager
async def users(url: str) -> AsyncIterator[Counter[str]]:
    """Send requests of all sorts until the block is left; yield how often each was answered how.

    The block begins when each sort has been answered.
    """
    answers: Counter[str] = Counter()
    async with (
        # Each request on a new connection, as from so many users.
        httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as client,
        asyncio.TaskGroup() as tasks,
    ):
        asking = [tasks.create_task(_ask(client, answers)) for _ in range(3)]
        await until(lambda: answers.keys() >= ANSWERED)
        yield answers
        for task in asking:
            task.cancel()


async def _ask(client: httpx.AsyncClient, answers: Counter[str]) -> None:
    while True:
        kind = random.choice(("price", "ticket", "stream"))  # noqa: S311
        try:
            answers[f"{kind} {await _answer(client, kind)}"] += 1
        except httpx.HTTPError as error:
            answers[f"{kind} {error!r}"] += 1


async def _answer(client: httpx.AsyncClient, kind: str) -> int:
    if kind == "price":
        return (await client.get("/api/prices?symbols=SPY")).status_code
    if kind == "ticket":
        return (await client.post("/api/stream/ticket")).status_code
    async with client.stream("GET", "/api/stream/prices?symbols=SPY") as stream:
        first = await anext(stream.aiter_bytes())
        if stream.is_success:
            assert first.startswith((b"event: hello\n", b"event: bye\nretry: "))
        return stream.status_code
