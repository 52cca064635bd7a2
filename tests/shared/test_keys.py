"""The names of keys and channels, with and without a namespace, in any database."""

import pytest
from pydantic import ValidationError

from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource
from shared.bus.settings import BusSettings, database_of


def names(keyspace: Keyspace) -> dict[str, list[str]]:
    return {
        "keys": [
            keyspace.lease,
            keyspace.standby,
            keyspace.epoch,
            keyspace.recorded_since,
            keyspace.published,
            keyspace.ingest_status,
            keyspace.interest,
            keyspace.streams,
            keyspace.value("price:SPY"),
            keyspace.last("price:SPY"),
            keyspace.history("trade:SPY"),
            keyspace.gateway("a"),
            keyspace.streams_of("a"),
            keyspace.ticket("0f"),
        ],
        "channels": [
            keyspace.ingest_status_channel,
            keyspace.interest_channel,
            keyspace.channel("price:SPY"),
            keyspace.inbox("a"),
        ],
    }


DOCUMENTED = names(Keyspace())


def test_with_no_namespace_database_0_has_the_documented_names() -> None:
    assert DOCUMENTED == {
        "keys": [
            "ingest:lease",
            "ingest:standby",
            "ingest:epoch",
            "ingest:recorded_since",
            "ingest:published",
            "ingest:status",
            "interest",
            "{streams}",
            "price:SPY",
            "{price:SPY}:last",
            "{trade:SPY}:history",
            "gateway:a",
            "{streams}:a",
            "ticket:0f",
        ],
        "channels": ["ingest:status", "interest", "price:SPY", "gateway:a"],
    }


@pytest.mark.parametrize(
    ("namespace", "database", "before_keys", "before_channels"),
    [
        (None, 2, "", "db2:"),
        ("staging", 0, "staging:", "staging:"),
        ("staging", 2, "staging:", "staging:db2:"),
    ],
)
def test_every_name_starts_with_the_namespace_and_a_channel_with_the_database(
    namespace: str | None, database: int, before_keys: str, before_channels: str
) -> None:
    assert names(Keyspace(namespace, database)) == {
        "keys": [f"{before_keys}{name}" for name in DOCUMENTED["keys"]],
        "channels": [f"{before_channels}{name}" for name in DOCUMENTED["channels"]],
    }


@pytest.mark.parametrize(("namespace", "database"), [(None, 0), (None, 2), ("staging", 2)])
def test_a_channel_leads_back_to_its_topic(namespace: str | None, database: int) -> None:
    keyspace = Keyspace(namespace, database)

    assert keyspace.topic_of(keyspace.channel("price:SPY").encode()) == b"price:SPY"


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("redis://127.0.0.1", 0),
        ("redis://127.0.0.1:6379/0", 0),
        ("redis://:a-password@127.0.0.1:6379/7", 7),
        ("rediss://127.0.0.1/3?ssl_cert_reqs=none", 3),
        ("redis://127.0.0.1?db=4", 4),
        ("unix:///run/valkey.sock", 0),
        ("unix:///run/valkey.sock?db=5", 5),
        ("memory://", 0),
    ],
)
def test_the_channels_are_those_of_the_database_that_the_url_names(url: str, database: int) -> None:
    assert database_of(url) == database
    expected = Keyspace("staging", database).channel_prefix
    assert RedisSource(url, "staging").keyspace.channel_prefix == expected


@pytest.mark.parametrize("name", ["staging", "team-a.eu_1", "7", "x" * 64])
def test_a_namespace_is_a_word(name: str) -> None:
    assert BusSettings(redis_namespace=name).redis_namespace == name


@pytest.mark.parametrize(
    "name",
    [
        *("a:b", "a b", "price:", "{a}", "a*", "-a", ".", "ä", "x" * 65),
        # A deployment in database 1 has ``db1:`` before its channels, one in database 0 looks for
        # ``gateway:*``, and publishes on ``price:SPY``.
        *("db1", "DB1", "gateway", "ingest", "interest", "ticket", "price", "bar.1Min", "account"),
    ],
)
def test_a_namespace_cannot_be_mistaken_for_a_name_of_another_deployment(name: str) -> None:
    with pytest.raises(ValidationError, match="redis_namespace"):
        BusSettings(redis_namespace=name)
