"""A rejection by Redis is reported once in Redis' words, and again when it is over."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.bus.errors import BusRejectedError, BusUnreachableError, bus_errors
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import FORGET_SECONDS, Rejections, explained
from shared.bus.valkey_server import server_binary
from tests import installed
from tests.redis_servers import QUIET, redis_server

OOM = BusRejectedError("OOM command not allowed when used memory > 'maxmemory'.", "OOM")
NOPERM = BusRejectedError("NOPERM this user has no permissions", "NOPERM")
GONE = BusUnreachableError("Connection refused")


def attempt(rejections: Rejections, work: str, error: Exception | None = None) -> None:
    """Try a work once; the error is raised to the caller of the work."""
    if error is None:
        with rejections.watch(work):
            pass
        return
    with pytest.raises(type(error)), rejections.watch(work):
        raise error


def test_a_rejection_is_logged_once_and_again_when_it_is_over() -> None:
    now = 10.0
    rejections = Rejections(monotonic=lambda: now)

    with capture_logs() as lines:
        for _ in range(3):
            attempt(rejections, "the claims", OOM)
        now = 13.04
        for _ in range(3):
            attempt(rejections, "the claims")

    assert [(line["event"], line["log_level"], line["work"]) for line in lines] == [
        ("redis_rejects", "warning", "the claims"),
        ("redis_accepts", "info", "the claims"),
    ]
    assert "Redis rejects the claims: OOM command not allowed" in lines[0]["message"]
    assert lines[1]["seconds"] == 3.0


def test_another_answer_is_another_cause_and_logged_too() -> None:
    rejections = Rejections()

    with capture_logs() as lines:
        attempt(rejections, "the claims", OOM)
        attempt(rejections, "the claims", NOPERM)

    assert [line["event"] for line in lines] == ["redis_rejects"] * 2
    assert "NOPERM" in str(rejections.reason)
    assert "OOM" not in str(rejections.reason)


def test_the_reason_names_each_work_and_the_remedy() -> None:
    rejections = Rejections()

    for work in ("the claims", "the counts", "the report"):
        attempt(rejections, work, OOM)
    attempt(rejections, "the subscription", NOPERM)

    assert rejections.reason == (
        "Redis rejects the claims, the counts and the report: OOM command not allowed when used "
        "memory > 'maxmemory'; raise Redis' maxmemory, or find the keys that fill it; "
        "Redis rejects the subscription: NOPERM this user has no permissions; the Redis user lacks "
        "a right: deploy/redis-users.acl has those that it needs (since Redis 7 a new user may use "
        "no channel)"
    )
    assert str(rejections.of("the claims")).startswith("OOM ")
    assert rejections.of("the publications") is None


def test_a_lost_connection_ends_a_rejection_silently() -> None:
    changes: list[str | None] = []
    rejections = Rejections(lambda: changes.append(rejections.reason))
    attempt(rejections, "the claims", OOM)

    with capture_logs() as lines:
        attempt(rejections, "the claims", GONE)
        attempt(rejections, "the claims")

    assert lines == []
    assert [reason is None for reason in changes] == [False, True]


def test_a_rejection_that_is_not_repeated_is_forgotten_and_a_later_one_logged_again() -> None:
    now = 0.0
    rejections = Rejections(monotonic=lambda: now)

    with capture_logs() as lines:
        attempt(rejections, "commands for requests", OOM)
        now = FORGET_SECONDS / 2
        attempt(rejections, "commands for requests", OOM)
        now += FORGET_SECONDS - 1
        present = rejections.reason
        now += 2
        forgotten = rejections.reason
        attempt(rejections, "commands for requests", OOM)

    assert (bool(present), forgotten) == (True, None)
    assert [line["event"] for line in lines] == ["redis_rejects"] * 2


@pytest.mark.parametrize(
    ("lacks", "script"),
    [
        ("resetchannels", "redis.call('PUBLISH', 'price:SPY', '1')"),
        ("resetchannels", "return redis.pcall('PUBLISH', 'price:SPY', '1')"),
        ("-set", "redis.call('SET', 'price:SPY', '1')"),
        ("resetkeys", "redis.call('GET', 'price:SPY')"),
    ],
)
@pytest.mark.parametrize("server", ["valkey-server", "redis-server"])
async def test_a_right_that_a_script_lacks_is_named_with_its_remedy(
    tmp_path: Path, server: str, lacks: str, script: str
) -> None:
    binary = server_binary() if server == "valkey-server" else Path(installed.program(server))
    async with redis_server(tmp_path, *QUIET, binary=binary) as running:
        rights = ("on", ">secret", "~*", "&*", "+@all", lacks)
        await running.client.execute_command("ACL", "SETUSER", "limited", *rights)  # type: ignore[no-untyped-call]
        source = RedisSource(f"redis://limited:secret@127.0.0.1:{running.port}/0")
        async with source.client("limited") as client:
            with pytest.raises(BusRejectedError) as raised, bus_errors():
                await client.register_script(script)()

    said = {
        "resetchannels": ("access a channel", "publish to the channel"),
        "-set": ("run the 'set' command", "run this command"),
        "resetkeys": ("access a key", "access at least one of the keys"),
    }
    assert raised.value.code == "NOPERM"
    text = explained(raised.value)
    assert text.startswith(
        ("NOPERM ACL failure in script: ", "NOPERM The user executing the script can't ")
    )
    assert any(words in text for words in said[lacks])
    assert "deploy/redis-users.acl has those that it needs" in text
    assert "user_script" not in text, "the place in the script differs between works"
