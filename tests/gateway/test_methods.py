"""HEAD and OPTIONS, on everything that is served: found in the table of routes itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway import composition
from gateway.fanout.hub import Hub
from gateway.http.app import create_app
from shared.bus.redis_source import RedisSource
from tests.gateway.hubs import gateway_with_hub
from tests.services import until

NAME = "index-A1b2C3d4.js"
STREAM = "a-1-b-0123456789abcdef01234567"
TOKEN = {"Authorization": "Bearer x"}
QUERY = {"symbols": "SPY", "topics": "price:SPY", "timeframe": "1Min"}


def example(route: Route) -> str:
    """Return a path of a route."""
    return route.path.replace("{name}", NAME).replace("{stream_id}", STREAM)


class Served:
    """A running gateway with its table of routes."""

    def __init__(self, client: httpx.AsyncClient, hub: Hub, app: Starlette) -> None:
        self.client = client
        self.hub = hub
        self.routes = [route for route in app.routes if isinstance(route, Route)]

    def paths(self, method: str) -> list[str]:
        """Return an example of every path that has a method."""
        return [example(route) for route in self.routes if method in (route.methods or ())]

    async def headers(self, method: str, path: str, **query: str) -> dict[str, str]:
        """Return status and headers of an answer, without what differs from one to the next."""
        asked = {**QUERY, **query}
        headers = {} if "ticket" in query else TOKEN
        async with self.client.stream(method, path, params=asked, headers=headers) as answer:
            kept = {**answer.headers, "status": str(answer.status_code)}
            if method == "HEAD":
                assert await answer.aread() == b""
        del kept["date"]
        kept.pop("transfer-encoding", None)
        if "content-length" in kept:
            kept["content-length"] = "some"  # the status is another each time
        return kept


@pytest.fixture
async def served(built_page: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    made: list[Starlette] = []

    def make(*arguments: Any, **named: Any) -> Starlette:
        made.append(create_app(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(composition, "create_app", make)
    async with (
        gateway_with_hub(RedisSource("memory://"), api_token="x") as (url, hub),
        httpx.AsyncClient(base_url=url) as client,
    ):

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready)
        yield Served(client, hub, made[0])


async def test_head_answers_as_get_does_without_a_body(served: Served) -> None:
    for path in served.paths("GET"):
        assert await served.headers("HEAD", path) == await served.headers("GET", path), path


async def test_head_opens_no_stream_and_uses_up_no_ticket(served: Served) -> None:
    streams = 0
    for path in served.paths("GET"):
        if "text/event-stream" not in (await served.headers("HEAD", path)).get("content-type", ""):
            continue
        streams += 1
        issued = await served.client.post("/api/stream/ticket", headers=TOKEN)
        ticket = issued.json()["ticket"]
        for _ in range(2):
            assert (await served.headers("HEAD", path, ticket=ticket))["status"] == "200"
        assert not served.hub.clients
        assert (await served.headers("GET", path, ticket=ticket))["status"] == "200"
        assert (await served.headers("GET", path, ticket=ticket))["status"] == "401"
    assert streams


async def test_options_tells_the_methods_of_a_path_without_a_token(served: Served) -> None:
    for route in served.routes:
        answer = await served.client.options(example(route))
        allowed = set(answer.headers["allow"].split(", "))

        assert (answer.status_code, answer.content) == (204, b""), route.path
        assert {*(route.methods or ()), "OPTIONS"} <= allowed, route.path


async def test_options_of_an_unknown_path_is_refused(served: Served) -> None:
    assert (await served.client.options("/nowhere")).status_code == 404
