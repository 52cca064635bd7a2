"""Addresses are compared by value, whatever their spelling, and only proxies may state them."""

import asyncio
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from gateway.http.client_address import ClientAddress, counted_as
from gateway.wire.addresses import address_of, network_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:DB8:1:2:0:0:0:1", "2001:db8:1:2::1"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:cb00:7107]:80", "203.0.113.7"),
    ],
)
def test_an_address_has_one_value_in_every_spelling(text: str, address: str) -> None:
    assert str(address_of(text)) == address


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "_hidden", "203.0.113", "203.0.113.07", "1.2.3.4, 5.6.7.8", "a" * 60_000],
)
def test_text_that_is_no_address_is_none(text: str) -> None:
    assert address_of(text) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_of_mapped_addresses_is_one_of_ipv4(text: str, network: str) -> None:
    assert str(network_of(text)) == network


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:0:0:3", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("testclient", "testclient"),
    ],
)
def test_ipv6_is_counted_by_its_network_of_64_bits(host: str, counted: str) -> None:
    scope = {"type": "http", "headers": [], "client": (host, 1)}
    assert counted_as(HTTPConnection(scope)) == counted


def client(peer: str | None, *forwarded: str, proxies: str = "127.0.0.1") -> Any:
    """Return the client that an application sees, if a peer sends these headers."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"])

    async def unused(*_: Any) -> Any:
        raise AssertionError("nothing is received or sent")

    scope: Scope = {
        "type": "http",
        "client": None if peer is None else (peer, 4711),
        "headers": [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded],
    }
    asyncio.run(ClientAddress(app, proxies.split(","))(scope, unused, unused))
    return seen[0]


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        (("203.0.113.7",), "127.0.0.1", "203.0.113.7"),
        (("invented, 203.0.113.7",), "127.0.0.1", "203.0.113.7"),
        (("invented", "203.0.113.7"), "127.0.0.1", "203.0.113.7"),
        (("203.0.113.7, 10.1.2.3",), "127.0.0.1,10.0.0.0/8", "203.0.113.7"),
        (("203.0.113.7, [::ffff:10.1.2.3]:80",), "127.0.0.1,10.0.0.0/8", "203.0.113.7"),
        (("2001:DB8::7:0",), "127.0.0.1", "2001:db8::7:0"),
        (("203.0.113.7",), "127.0.0.2", "127.0.0.1"),
        (("203.0.113.7, 198.51.100.1",), "*", "203.0.113.7"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxys(
    forwarded: tuple[str, ...], proxies: str, address: str
) -> None:
    assert client("127.0.0.1", *forwarded, proxies=proxies)[0] == address


@pytest.mark.parametrize("text", ["unknown", "9.9.9.9.9", "", "9.9.9.9, _secret", "x" * 60_000])
def test_text_that_is_no_address_is_ignored_and_the_peer_counts(text: str) -> None:
    assert client("127.0.0.1", text) == ("127.0.0.1", 4711)


def test_what_stands_before_text_that_is_no_address_is_not_believed() -> None:
    proxies = "127.0.0.1,10.0.0.0/8"
    assert client("127.0.0.1", "9.9.9.9, unknown, 10.1.2.3", proxies=proxies)[0] == "10.1.2.3"


def test_a_proxy_that_the_kernel_shows_as_a_mapped_address_is_trusted() -> None:
    assert client("::ffff:10.1.2.3", "203.0.113.7", proxies="10.0.0.0/8")[0] == "203.0.113.7"


def test_endless_proxies_are_followed_no_further_than_twenty() -> None:
    assert client("127.0.0.1", "203.0.113.7," + "127.0.0.1," * 5_000 + "127.0.0.1") == (
        "127.0.0.1",
        4711,
    )


def test_a_peer_without_an_address_has_no_client() -> None:
    assert client(None, "203.0.113.7") is None
