"""Sign-in and permissions on the page."""

import json

import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator
from tests.page.screen import PRICE, REFUSED, TOKEN, Screen, cell
from tests.processes import gateway_process
from tests.services import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_wrong_token_is_named_and_the_right_one_is_in_no_url_no_log_and_no_console(
    screen: Screen, valkey: ValkeyServer, market: Simulator
) -> None:
    screen.expected = (REFUSED,)
    token, wrong = "a-secret-token", "a-wrong-secret"
    async with (
        gateway_process(valkey.url, API_TOKEN=token, ACCESS_LOG="true") as (url, gateway),
        screen,
    ):
        await screen.open(url)
        await screen.until("#sign-in", "asks for an API token")
        await screen.until("#connection", "^Sign-in needed$")
        assert await screen.do("axe") == []
        await screen.type(TOKEN, wrong)
        await screen.until("#sign-in [role=alert]", "the token is wrong")
        await screen.sign_in(token)
        await screen.until(cell("SPY", "price"), PRICE)
        seen = await screen.do("seen")
        kept = await screen.evaluate("JSON.stringify(localStorage) + document.cookie")
    told = json.dumps(seen) + kept + gateway.output

    assert "ticket=" in json.dumps(seen["urls"])
    assert "/api/stream?" in gateway.output
    assert token not in told
    assert wrong not in told


async def test_who_signs_out_is_asked_again(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    screen.expected = (REFUSED,)
    async with running_gateway(source, api_token="a-secret-token") as url, screen:
        await screen.open(url)
        await screen.sign_in("a-secret-token")
        await screen.do("click", selector="#sign-out")
        await screen.until("#sign-in", "asks for an API token")


async def test_a_token_for_the_market_alone_has_a_page_without_positions(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    screen.expected = (REFUSED,)
    async with running_gateway(source, api_token="for-the-web market") as url, screen:
        await screen.open(url)
        await screen.sign_in("for-the-web")
        await screen.until(cell("SPY", "price"), PRICE)
        await screen.until(".denied", "does not allow positions")
        assert await screen.texts(".tapecast-positions") == []
