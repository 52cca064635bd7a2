"""The access log of a real gateway: off unless asked for, and without a secret at any level."""

import json
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.access_log import shown
from shared.bus.valkey_server import ValkeyServer
from shared.logs import redact
from tests.event_stream import open_stream
from tests.processes import gateway_process
from tests.services import until

pytestmark = pytest.mark.slow

TOKEN = "the-token-of-the-gateway"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LAST = "/licenses.txt/"
"""A path that is not served, of which the log shows each part."""


async def _let_in(url: str) -> str:
    """Open a stream by a ticket, use it again, and make other mistakes; return the ticket."""
    async with httpx.AsyncClient(
        base_url=url, headers={"X-Forwarded-For": "203.0.113.7"}
    ) as client:
        issued = await client.post("/api/stream/ticket", headers=BEARER)
        ticket: str = issued.json()["ticket"]
        async with open_stream(url, symbols="SPY", ticket=ticket) as stream:
            await stream.until_kind("ready")
        for path in (
            f"/api/stream/prices?ticket={ticket}&symbols=SPY",
            f"/api/prices?access_token={TOKEN}",
            f"/nowhere?token={TOKEN}",
            f"/api/stream/prices?symbols=SPY&tick%65t={ticket}",
            f"/api/prices/{TOKEN}?symbols=SPY",
            f"/api/prices?symbols=SPY&api_key={TOKEN}&{TOKEN}",
            LAST,
        ):
            assert (await client.get(path)).status_code in (401, 404)
    return ticket


@pytest.mark.parametrize("output", ["json", "console"])
async def test_neither_ticket_nor_token_is_in_any_line(valkey: ValkeyServer, output: str) -> None:
    settings = {"ACCESS_LOG": "true", "LOG_LEVEL": "debug", "LOG_FORMAT": output}
    async with gateway_process(valkey.url, None, API_TOKEN=TOKEN, **settings) as (url, gateway):
        ticket = await _let_in(url)
        await until(lambda: LAST in gateway.output)

    for line in (
        "GET /api/stream/prices?symbols=SPY&ticket=[redacted] HTTP/1.1",
        "GET /api/stream/prices?ticket=[redacted]&symbols=SPY HTTP/1.1",
        "GET /api/prices?access_token=[redacted] HTTP/1.1",
        "GET /[hidden]?token=[redacted] HTTP/1.1",
        "GET /api/prices/[hidden]?symbols=SPY HTTP/1.1",
        "GET /api/prices?symbols=SPY&[hidden]&[hidden] HTTP/1.1",
    ):
        assert line in gateway.output
    assert ticket not in gateway.output
    assert TOKEN not in gateway.output


async def test_it_is_one_stream_with_all_other_lines_and_names_the_client(
    valkey: ValkeyServer,
) -> None:
    async with gateway_process(
        valkey.url, API_TOKEN=TOKEN, ACCESS_LOG="true", LOG_LEVEL="warning"
    ) as (url, gateway):
        await _let_in(url)
        await until(lambda: LAST in gateway.output)

    lines = [json.loads(line) for line in gateway.output.splitlines()]
    [last] = [line for line in lines if LAST in line["event"]]
    assert last["event"] == '203.0.113.7:0 - "GET /licenses.txt/ HTTP/1.1" 404'
    assert (last["level"], last["logger"]) == ("info", "uvicorn.access")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("/", "/"),
        ("/api/stream/prices?symbols=SPY,brk.b", "/api/stream/prices?symbols=SPY,brk.b"),
        ("/api/stream?topics=price:SPY@0.5,news:*", "/api/stream?topics=price:SPY@0.5,news:*"),
        ("/api/bars?limit=10&timeframe=1Day", "/api/bars?limit=10&timeframe=1Day"),
        ("/api/stream?last_event_id=12-7&interval=1", "/api/stream?last_event_id=12-7&interval=1"),
        ("/api/stream/gw-1-2-0123456789abcdef01234567", "/api/stream/[hidden]"),
        ("/hush/hush/hush", "/[hidden]"),
        ("/api/prices?hush", "/api/prices?[hidden]"),
        ("/api/prices?symbols=a-hush-token", "/api/prices?symbols=[hidden]"),
        ("/api/prices?symbols=SPY;ticket=hush", "/api/prices?symbols=[hidden]"),
        ("/api/prices?symbols=SPY,%68ush-hush", "/api/prices?symbols=[hidden]"),
        ("/api/stream?topics=price:SPY@hush", "/api/stream?topics=[hidden]"),
        ("/api/stream?last_event_id=hush", "/api/stream?last_event_id=[hidden]"),
        ("/api/stream?tick%65t=hush", "/api/stream?ticket=[redacted]"),
        ("/api/stream?Ticket=hush", "/api/stream?[hidden]"),
        ("/api/stream/positions?symbols=SPY&hush", "/api/stream/positions?[hidden]"),
        ("/api/stream?topics=%6frders", "/api/stream?[hidden]"),
    ],
)
def test_a_line_shows_only_what_the_gateway_itself_understands(url: str, line: str) -> None:
    assert shown(url) == line


PLACES = (
    "/{}",
    "/api/{}/prices",
    "/api/stream/gw-1-{}",
    "/assets/{}.js",
    "/?{}",
    "/api/prices?{}=SPY",
    "/api/prices?symbols={}",
    "/api/prices?symbols=SPY,{}&interval=1",
    "/api/stream?topics=price:{}",
    "/api/stream?topics=price:SPY@{}",
    "/api/stream?last_event_id={}",
    "/api/stream?x={}&symbols=SPY",
    "/api/stream?symbols=SPY;token={}",
    "/api/stream?symbols=SPY#{}",
)
NAMES = ("ticket", "token", "access_token", "api_key", "Authorization")


def spelt(text: str, escaped: list[bool]) -> str:
    """Return text of which some characters are percent-encoded."""
    flags = escaped + [False] * len(text)
    return "".join(f"%{ord(c):02x}" if flag else c for c, flag in zip(text, flags, strict=False))


@given(
    secret=st.text("0123456789abcdef", min_size=32, max_size=64),
    place=st.sampled_from(PLACES)
    | st.sampled_from(NAMES).map(lambda name: f"/api/stream/prices?{name}={{}}"),
    escaped=st.lists(st.booleans(), max_size=64),
)
def test_a_secret_is_shown_nowhere_in_a_url_however_it_is_spelt(
    secret: str, place: str, escaped: list[bool]
) -> None:
    line = shown(place.format(spelt(secret, escaped)))

    assert secret not in unquote(unquote(line))


@given(
    name=st.sampled_from(("ticket", "token", "access_token", "password")),
    escaped=st.lists(st.booleans(), max_size=12),
)
def test_a_name_of_a_secret_is_recognised_however_it_is_spelt(
    name: str, escaped: list[bool]
) -> None:
    url = f"/api/stream/prices?symbols=SPY&{spelt(name, escaped)}=hush-hush"

    assert "hush" not in shown(url)
    assert "hush" not in redact(f'{{"url": "{url}"}}')


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert len(shown(text)) <= 10 * len(text) + 20


@pytest.mark.parametrize(
    "url",
    ["/" * 60_000, "/api/stream?" + "a&" * 30_000, "/api/stream?topics=" + "price:SPY," * 6_000],
    ids=["a path", "names", "a list"],
)
def test_no_line_is_long(url: str) -> None:
    assert len(shown(url)) < 300


async def test_it_is_off_unless_asked_for(valkey: ValkeyServer) -> None:
    async with gateway_process(valkey.url, API_TOKEN=TOKEN, LOG_LEVEL="debug") as (url, gateway):
        ticket = await _let_in(url)

    assert "gateway_draining" in gateway.output
    assert "GET /" not in gateway.output
    assert ticket not in gateway.output


async def test_what_positions_are_asked_for_is_hidden(valkey: ValkeyServer) -> None:
    async with (
        gateway_process(valkey.url, API_TOKEN=TOKEN, ACCESS_LOG="true") as (url, gateway),
        httpx.AsyncClient(base_url=url, headers=BEARER) as client,
    ):
        for path in (
            "/api/positions?symbols=HELD",
            "/api/positions?symbols=HELD,$",
            "/api/stream/positions?symbols=HELD,$",
            "/api/stream?topics=price:IBM,%70osition%3AHELD,$",
            "/api/prices?symbols=IBM",
            LAST,
        ):
            assert (await client.get(path)).status_code in (200, 400, 404)
        await until(lambda: LAST in gateway.output)

    assert "GET /api/positions?[hidden] HTTP/1.1" in gateway.output
    assert "GET /api/stream?[hidden] HTTP/1.1" in gateway.output
    assert "GET /api/prices?symbols=IBM HTTP/1.1" in gateway.output
    assert "HELD" not in gateway.output
