"""``Host``: a page whose name was bound to this machine must not read the account."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.host_check import HostCheck
from gateway.settings import GatewaySettings
from gateway.wire.allowed_hosts import LOOPBACK, AllowedHosts
from shared.bus.redis_source import RedisSource
from shared.settings import SettingsError
from tests.services import running_gateway

MEMORY = "memory://"
EVIL = {"Host": "evil.example:8001"}
PATHS = (
    "/",
    "/licenses.txt",
    "/assets/index.js",
    "/api/positions",
    "/api/prices?symbols=SPY",
    "/api/stream/positions",
    "/api/stream/status",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/nowhere",
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8001",
        "LocalHost.",
        "app.localhost:8001",
        "127.0.0.1:8001",
        "127.8.9.10",
        "[::1]:8001",
        "[0:0:0:0:0:0:0:1]",
    ],
)
def test_the_names_of_this_machine_are_served(host: str) -> None:
    assert AllowedHosts(LOOPBACK).allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8001",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "[::ffff:10.0.0.1]",
        "localhost:80:80",
        "user@localhost",
        "localhost/evil.example",
        "[localhost]",
        "::1",
        "",
    ],
)
def test_other_names_and_malformed_ones_are_not(host: str) -> None:
    assert not AllowedHosts(LOOPBACK).allows(host)


@given(st.text(max_size=40) | st.text("[]:.0127flocahst*@/%", max_size=20))
def test_whatever_is_sent_as_host_it_is_a_name_of_this_machine_or_rejected(host: str) -> None:
    if AllowedHosts(LOOPBACK).allows(host):
        name = host.strip().lower().rpartition(":")[0] or host.strip().lower()
        assert "localhost" in host.lower() or name.startswith(("127.", "[")), host


@pytest.mark.parametrize(
    ("entry", "host", "allowed"),
    [
        ("prices.example", "Prices.Example:443", True),
        ("prices.example", "www.prices.example", False),
        ("*.prices.example", "www.prices.example", True),
        ("*.prices.example", "prices.example", False),
        ("10.0.0.0/8", "10.1.2.3:8001", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("*", "anything", True),
    ],
)
def test_an_entry_is_a_name_a_domain_a_network_or_all(entry: str, host: str, allowed: bool) -> None:
    assert AllowedHosts([entry]).allows(host) is allowed


@pytest.mark.parametrize("given", ["https://prices.example", "prices.example:443", "a b", "a/8"])
def test_an_entry_that_no_host_can_equal_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", given)

    with pytest.raises(SettingsError, match=r"ALLOWED_HOSTS: .* is not a host"):
        GatewaySettings.load()


async def test_without_a_token_every_path_is_closed_to_the_name_of_a_stranger() -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answers = [await client.get(path, headers=EVIL) for path in PATHS]
        answers.append(await client.post("/api/stream/ticket", headers=EVIL))
        answers.append(await client.options("/api/prices", headers=EVIL))
        own = await client.get("/readyz")

    assert own.status_code == 200
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "wrong_host")
        assert "ALLOWED_HOSTS" in answer.json()["error"]["hint"]


async def test_without_a_token_a_request_with_no_host_is_served() -> None:
    async with running_gateway(RedisSource(MEMORY)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()

    assert b" 200 OK\r\n" in answer


@pytest.mark.parametrize(
    ("settings", "statuses"),
    [
        ({"api_token": "right-one"}, [200, 200]),
        ({"api_token": "right-one", "allowed_hosts": "prices.example"}, [421, 200]),
        ({"allowed_hosts": "evil.example"}, [200, 421]),
        ({"allowed_hosts": "*"}, [200, 200]),
    ],
)
async def test_with_a_token_all_names_are_served_unless_some_are_listed(
    settings: dict[str, Any], statuses: list[int]
) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), **settings) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        hosts = ("evil.example:8001", "prices.example")
        answers = [await client.get("/healthz", headers={"Host": host}) for host in hosts]

    assert [answer.status_code for answer in answers] == statuses


async def check(kind: str, *hosts: bytes) -> list[Any]:
    """Return the messages with which the check answers a request that it must reject."""
    sent: list[Any] = []

    async def application(*_: object) -> None:
        raise AssertionError("the application was asked")

    async def receive() -> Any:
        raise AssertionError("the request was read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "headers": [(b"host", host) for host in hosts]}
    await HostCheck(application, AllowedHosts(LOOPBACK))(scope, receive, send)
    return sent


async def test_of_two_hosts_both_must_be_allowed() -> None:
    start, _ = await check("http", b"localhost", b"evil.example")

    assert start["status"] == 421


async def test_a_websocket_of_another_name_is_not_accepted() -> None:
    assert await check("websocket", b"evil.example") == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("path", ["/api/prices/", "/api/stream/", "/licenses.txt//", "/readyz/"])
async def test_a_slash_at_the_end_is_named_and_nothing_redirects(path: str) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get(f"{path}?symbols=SPY", headers={"Host": "evil.example"})
        unknown = await client.get(f"/nowhere{path}", headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_path")
    assert answer.json()["error"]["hint"] == (
        f"write {path.rstrip('/')} without the slash at the end"
    )
    assert "location" not in answer.headers
    assert "evil" not in answer.text
    assert unknown.json()["error"]["hint"] == "see docs/reference.md"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/prices"),
        ("GET", "/healthz"),
        ("GET", "/nowhere"),
        ("OPTIONS", "/api/prices"),
        ("HEAD", "/api/stream/prices?symbols=SPY"),
        ("GET", "/" + 65_480 * "x"),
    ],
)
async def test_every_answer_has_the_headers_that_keep_browsers_from_misusing_it(
    method: str, path: str
) -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.request(method, path)

    for name, value in (
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ):
        assert answer.headers.get_list(name) == [value]
