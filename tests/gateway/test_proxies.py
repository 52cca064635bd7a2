"""The address of a client behind proxies: trusted only from those in ``FORWARDED_ALLOW_IPS``."""

from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import composition
from gateway.http.app import create_app
from gateway.http.sinks import TransportSink
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.services import running_gateway

MEMORY = "memory://"


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The address of each request as the application sees it."""
    seen: list[str] = []

    def make(*arguments: Any, **named: Any) -> ASGIApp:
        app = create_app(*arguments, **named)

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["client"][0])
            await app(scope, receive, send)

        return recorded

    monkeypatch.setattr(composition, "create_app", make)
    return seen


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        (None, "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "invented, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1,10.0.0.0/8", "invented, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.0/8, 10.1.2.3", "2001:db8::7, 10.1.2.3", "2001:db8::7"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "no address", "127.0.0.1"),
        ("*", "203.0.113.7, 198.51.100.1", "203.0.113.7"),
        ("10.0.0.0/8,*", "203.0.113.7, 198.51.100.1", "203.0.113.7"),
    ],
)
async def test_a_client_is_the_last_address_that_no_trusted_proxy_has(
    clients: list[str], trusted: str | None, forwarded: str, client: str
) -> None:
    settings: dict[str, Any] = {} if trusted is None else {"forwarded_allow_ips": trusted}
    async with (
        running_gateway(RedisSource(MEMORY), **settings) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        await http.get("/healthz", headers={"X-Forwarded-For": forwarded})

    assert clients == [client]


async def test_a_stream_behind_a_proxy_keeps_its_transport(clients: list[str]) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    async with (
        gateway_with_hub(RedisSource(MEMORY), cors_origins="*") as (url, hub),
        open_stream(url, symbols="SPY", headers={**forwarded, "Origin": "https://a.b"}) as stream,
    ):
        await stream.until_kind("ready")
        [client] = hub.clients.values()
        assert isinstance(client.sink, TransportSink)

    assert clients == ["203.0.113.7"]
