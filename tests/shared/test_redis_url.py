import re
from pathlib import Path
from typing import Any

import pytest

from shared.bus.redis_url import parse

HOST = {"host": "cache", "port": 6379, "db": 0}


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://cache", HOST),
        ("redis://cache/", HOST),
        ("redis://", HOST | {"host": "localhost"}),
        ("redis://cache:6380/15", HOST | {"port": 6380, "db": 15}),
        ("redis://cache?db=3", HOST | {"db": 3}),
        ("redis://[::1]:6380", HOST | {"host": "::1", "port": 6380}),
        ("redis://[::1]", HOST | {"host": "::1"}),
        ("redis://:p%40ss%2Fw%23rd%3Fx@cache", HOST | {"password": "p@ss/w#rd?x"}),
        ("redis://user:p@ss@cache", HOST | {"username": "user", "password": "p@ss"}),
        ("redis://cache?password=p@ss+1", HOST | {"password": "p@ss+1"}),
        ("unix://:word@/run/r@.sock?db=2", {"path": "/run/r@.sock", "password": "word", "db": 2}),
        ("rediss://cache?ssl_cert_reqs=CERT_NONE", HOST | {"ssl_cert_reqs": "none"}),
        ("rediss://cache?ssl_check_hostname=no", HOST | {"ssl_check_hostname": False}),
    ],
)
def test_a_url_has_these_parts(url: str, options: dict[str, Any]) -> None:
    assert parse(url).options == options


def test_a_sentinel_url_has_the_credentials_of_redis_and_those_of_the_sentinels() -> None:
    address = parse(
        "redis+sentinel://user:p%2Fw@a,[::1]:26380/mymaster/1?sentinel_password=s@&sentinel_username=u"
    )

    assert address.sentinels == (("a", 26379), ("::1", 26380))
    assert address.service == "mymaster"
    assert address.options == {"username": "user", "password": "p/w", "db": 1}
    assert address.sentinel_options == {"username": "u", "password": "s@"}


@pytest.mark.parametrize(
    "option",
    [
        "decode_responses=true",
        "protocol=3",
        "socket_timeout=1",
        "max_connections=1",
        "client_name=x",
        "health_check_interval=30",
    ],
)
def test_an_option_that_the_program_fixes_has_no_effect(option: str) -> None:
    assert parse(f"redis://cache?{option}").options == HOST


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("cache:6379", "expected redis://"),
        ("http://cache", "expected redis://"),
        ("valkey://cache", "expected redis://"),
        ("redis://user#secret@cache", "percent-encode"),
        ("redis://user:pa/ss@cache", "percent-encode"),
        ("redis://user:pa?ss@cache", "percent-encode"),
        ("redis://user:pa?db=1@cache", "db: the database"),
        ("redis://cache/0#x", "percent-encode"),
        ("redis://cache/tapecast", "the database after the host is not a number"),
        ("redis://cache/-1", "the database after the host is not a number"),
        ("redis://cache/0/1", "the database after the host is not a number"),
        ("redis://cache?db=x", "db: the database"),
        ("redis://cache:port", "the port is not a number"),
        ("redis://cache:0", "the port is not a number"),
        ("redis://cache:65536", "the port is not a number"),
        ("redis://[::1", "an IPv6 address needs brackets"),
        ("redis://a,b", "several hosts need redis+sentinel://"),
        ("redis+sentinel://a,b", "the name of the master is missing"),
        ("redis+sentinel://a/mymaster/x", "the database after the host is not a number"),
        ("redis://cache?ssl_cert_req=none", "unknown option"),
        ("redis://cache?ssl_cert_reqs=none", "needs rediss://"),
        ("rediss://cache?ssl_cert_reqs=maybe", "expected none, optional or required"),
        ("rediss://cache?ssl_check_hostname=maybe", "expected true or false"),
        ("rediss://cache?ssl_ca_certs=/no/such/file", "there is no file '/no/such/file'"),
        ("rediss://cache?ssl_ca_path=/no/such", "there is no folder '/no/such'"),
    ],
)
def test_a_wrong_url_is_rejected_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse(url)


def test_a_certificate_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my ca.pem"
    path.write_text("")

    address = parse(f"rediss://cache?ssl_ca_certs={str(path).replace(' ', '%20')}")

    assert address.options == HOST | {"ssl_ca_certs": str(path)}


def test_an_address_shows_no_secret() -> None:
    address = parse("redis+sentinel://u:hush@a/mymaster?sentinel_password=hush")

    assert "hush" not in repr(address)
    assert "hush" not in str(address)
