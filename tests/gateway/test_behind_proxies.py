"""Streams behind real proxies, and gateways that restart behind a balancer."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial

import pytest

from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from tests import rolling_restart
from tests.event_stream import EventStream, open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.stoppable import Stoppable
from tests.limits import limit
from tests.ports import free_port
from tests.proxies import caddy, haproxy, nginx
from tests.services import running_gateway

pytestmark = pytest.mark.slow

BUFFERING_NGINX = "location / {{ proxy_pass http://127.0.0.1:{}; }}"
COMPRESSING_NGINX = """
gzip on;
gzip_types *;
location / {{
    proxy_http_version 1.1;
    proxy_pass http://127.0.0.1:{};
}}
"""
HAPROXY = "server one 127.0.0.1:{}"
# Caddy 2.6 compresses a response whose first part has 512 bytes, although it must not transform it,
# and passes on none of it before its end. So docs/operations.md leaves the streams out.
CADDY = """
@page not path /api/stream*
encode @page gzip
reverse_proxy 127.0.0.1:{}
"""

PROXIES: dict[str, tuple[Callable[[int, str], AbstractContextManager[str]], str]] = {
    "nginx-1.0-buffering": (nginx, BUFFERING_NGINX),
    "nginx-1.1-gzip": (nginx, COMPRESSING_NGINX),
    "haproxy": (haproxy, HAPROXY),
    "caddy-gzip": (caddy, CADDY),
}


@pytest.fixture(scope="module")
def gateway_port() -> int:
    """The port of the one gateway that every proxy here knows."""
    return free_port()


@pytest.fixture(scope="module", params=PROXIES)
def proxy_url(request: pytest.FixtureRequest, gateway_port: int) -> Iterator[str]:
    """Run a proxy before the gateway, for all tests of this module."""
    run, lines = PROXIES[request.param]
    with run(free_port(), lines.format(gateway_port)) as url:
        yield url


def has_come(event_id: str, stream: EventStream) -> bool:
    return any(price["event_id"] == event_id for price in stream.of("price"))


async def test_each_event_passes_a_proxy_at_once(
    source: RedisSource, gateway_port: int, proxy_url: str
) -> None:
    gzip = {"Accept-Encoding": "gzip"}
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source, port=gateway_port),
        open_stream(proxy_url, symbols="SPY", interval="0", headers=gzip) as stream,
    ):
        await stream.until_kind("ready")
        # Each is sent only when the one before it has arrived: none waits for others to follow.
        for seq in range(1, 4):
            await ingest.publish(seq)
            await stream.until(partial(has_come, f"1-{seq}"))

    assert [event.kind for event in stream.events][:2] == ["hello", "price"]


HEARTBEAT: float = GatewaySettings.model_fields["heartbeat_seconds"].default
SCALE = limit(0.4)
"""Shortens the default heartbeat and the proxy's time-outs of 10 s, and so keeps their ratio."""


async def test_a_quiet_stream_with_the_default_heartbeat_outlives_time_outs_of_ten_seconds(
    source: RedisSource,
) -> None:
    port, idle = free_port(), f"{10_000 * SCALE:.0f}ms"
    with haproxy(free_port(), HAPROXY.format(port), idle=idle) as url:
        async with (
            running_gateway(source, port=port, heartbeat_seconds=HEARTBEAT * SCALE),
            open_stream(url, symbols="SPY") as stream,
        ):
            await stream.until(lambda s: s.ended or len(s.of("heartbeat")) == 3)

            kinds = [event.kind for event in stream.events]
            assert not stream.ended, kinds
            # Nothing else was sent that would have kept the connections open.
            assert kinds[kinds.index("heartbeat") :] == ["heartbeat"] * 3


class Restarted:
    """Two gateways that restart one after the other."""

    def __init__(self, source: RedisSource, stack: AsyncExitStack) -> None:
        self.ports = [free_port(), free_port()]
        self._source = source
        self._gateways = [self._start(port) for port in self.ports]
        stack.push_async_callback(self._end)

    async def restart_each(self, url: str) -> None:
        """Restart one after the other; the next only when the balancer knows the one before."""
        for number, port in enumerate(self.ports):
            self._gateways[number].stop.set()
            await self._gateways[number].ended()
            self._gateways[number] = self._start(port)
            await rolling_restart.until_both_are_up(url)

    def _start(self, port: int) -> Stoppable:
        settings = {"port": port, "lame_duck_seconds": limit(0.6), "drain_seconds": 0}
        return Stoppable(self._source, {**settings, "api_token": rolling_restart.TOKEN})

    async def _end(self) -> None:
        for gateway in self._gateways:
            gateway.stop.set()
        await asyncio.gather(*(gateway.ended() for gateway in self._gateways))


async def test_a_rolling_restart_behind_a_balancer_that_repeats_nothing_loses_no_request(
    source: RedisSource,
) -> None:
    async with AsyncExitStack() as stack:
        restarted = Restarted(source, stack)
        url = stack.enter_context(rolling_restart.balancer(restarted.ports))
        await rolling_restart.until_both_are_up(url)
        async with rolling_restart.users(url) as answers:
            await restarted.restart_each(url)

    assert set(answers) == rolling_restart.ANSWERED, answers
