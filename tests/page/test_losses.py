"""The page reports each loss, and recovers by itself with one stream."""

import json
import signal
from pathlib import Path

import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator
from tests.page.screen import PRICE, REFUSED, Screen, cell
from tests.page.streams import streams
from tests.processes import gateway_process
from tests.programs import program
from tests.services import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

TICKET = "/api/stream/ticket"
CONNECTING = r"^Connecting\.\.\.$"
FADED = "getComputedStyle(document.querySelector('#prices')).opacity < 1"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_the_page_says_connecting_when_its_gateway_is_gone_and_live_when_it_is_back(
    screen: Screen, valkey: ValkeyServer, market: Simulator, number: signal.Signals, pictures: Path
) -> None:
    screen.expected = (REFUSED,)
    async with gateway_process(valkey.url, DRAIN_SECONDS="0") as (url, gateway):
        await screen.open(url)
        await screen.live()
        await screen.until(cell("SPY", "price"), PRICE)
        assert not await screen.evaluate(FADED)
        gateway.send(number)
        await screen.until("#connection", CONNECTING)
        assert await screen.evaluate(FADED)
        await screen.do("screenshot", path=str(pictures / f"page-{number.name}.png"))
        await gateway.ended()
    async with program("gateway", REDIS_URL=valkey.url, PORT=url.rpartition(":")[2]), screen:
        await screen.live()
        await streams(url, 1)
        assert await screen.texts("#prices [data-field=symbol]") == ["SPY", "IBM", "BAC", "AIG"]
        assert not await screen.evaluate(FADED)


async def test_a_gateway_that_hangs_is_noticed_by_its_heartbeats(
    screen: Screen, valkey: ValkeyServer, market: Simulator
) -> None:
    async with gateway_process(valkey.url, HEARTBEAT_SECONDS="1") as (url, gateway), screen:
        await screen.open(url)
        await screen.live()
        gateway.send(signal.SIGSTOP)
        try:
            await screen.until("#connection", rf"^Stale$|{CONNECTING}")
            assert await screen.evaluate(FADED)
            await screen.until("#connection", CONNECTING)
        finally:
            gateway.send(signal.SIGCONT)
        await screen.live()
        await streams(url, 1)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (201, {"ticket": "spent", "expires_in": 30}, "rejected the stream"),
        (
            503,
            {"error": {"code": "redis_unavailable", "message": "Redis is unreachable"}},
            "Redis is unreachable",
        ),
    ],
    ids=["spent", "503"],
)
async def test_a_ticket_that_does_not_open_a_stream_is_followed_by_another(
    screen: Screen, source: RedisSource, market: Simulator, status: int, body: object, reason: str
) -> None:
    screen.expected = (REFUSED,)
    async with running_gateway(source, api_token="a-secret-token") as url, screen:
        await screen.open(f"{url}/licenses.txt")
        await screen.evaluate("sessionStorage.setItem('tapecast-token', 'a-secret-token')")
        await screen.do("answer", path=TICKET, times=2, status=status, body=json.dumps(body))
        await screen.open(url)
        await screen.until("#reason", reason)
        await screen.live()
        await screen.until(cell("SPY", "price"), PRICE)

        # If the topics change meanwhile, a ticket is given up for one of the new topics.
        assert len(await screen.urls(TICKET)) >= 3
        assert len(await screen.urls("ticket=spent")) in ((1, 2) if status == 201 else (0,))


async def test_a_feed_that_is_lost_makes_the_page_stale(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.live()
        market.faults.refuse_upgrade("iex", status=503, count=100)
        market.faults.reset("iex")
        try:
            await screen.until("#connection", "^Stale$")
            await screen.until("#reason", ".")
            assert await screen.evaluate(FADED)
        finally:
            market.faults.clear("iex")
        await screen.live()

        assert len(await screen.urls("/api/stream?")) == 1


async def test_without_a_network_the_page_is_offline_and_comes_back_with_it(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    screen.expected = (REFUSED,)
    async with running_gateway(source) as url:
        await screen.open(url)
        await screen.live()
        await screen.do("offline", offline=True)
    await screen.until("#connection", "^Offline$")
    async with running_gateway(source, port=int(url.rpartition(":")[2])), screen:
        await screen.do("offline", offline=False)
        await screen.live()
        await streams(url, 1)


async def test_a_page_that_comes_back_from_the_history_as_it_was_is_live_with_one_stream(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    screen.expected = (REFUSED,)  # the icon of a text, which has none
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.live()
        await screen.evaluate("window.remembered = true")
        await screen.open(f"{url}/licenses.txt")
        await streams(url, 0)
        await screen.do("back")
        assert await screen.evaluate("window.remembered === true")
        await screen.live()
        await streams(url, 1)


async def test_a_sixth_tab_and_a_seventh_say_why_they_wait_and_go_on_when_others_are_closed(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, screen:
        for number in range(7):
            if number:
                await screen.do("tab")
            await screen.open(url)
            if number < 5:
                await screen.live()
            else:
                await screen.until("#connection", "^Limit$")
                await screen.until("#reason", "six HTTP/1.1 connections")
        await streams(url, 5)
        for _ in range(2):
            await screen.do("show", number=0)
            await screen.do("close")
        for number in range(5):
            await screen.do("show", number=number)
            await screen.live()
        await streams(url, 5)
