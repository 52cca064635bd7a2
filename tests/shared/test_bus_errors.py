import socket

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import RedisError

from shared.bus.errors import (
    BusError,
    BusRejectedError,
    BusUnreachableError,
    BusWrongServerError,
    bus_errors,
    is_wrong_server,
    translated,
)
from shared.bus.redis_source import RedisSource


async def test_a_port_without_a_server_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        async with RedisSource(url).client("one") as client:
            with pytest.raises(BusUnreachableError), bus_errors():
                await client.ping()


async def test_a_command_for_another_type_is_rejected(any_source: RedisSource) -> None:
    async with any_source.client("one") as client:
        await client.set("price:SPY", b"1")

        with pytest.raises(BusRejectedError, match="WRONGTYPE"), bus_errors():
            await client.hget("price:SPY", "field")


def _answer(line: str) -> RedisError:
    """Return the error that redis-py makes of an answer of Redis."""
    return BaseParser.parse_error(line)  # type: ignore[no-any-return, no-untyped-call]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), BusUnreachableError),
        (ConnectionResetError("peer"), BusUnreachableError),
        (_answer("OOM command not allowed"), BusRejectedError),
        (_answer("WRONGPASS invalid username-password pair"), BusRejectedError),
    ],
)
def test_an_error_is_one_of_the_two_kinds_and_has_a_text(
    error: OSError, expected: type[BusError]
) -> None:
    found = translated(error)

    assert type(found) is expected
    assert str(found)


@pytest.mark.parametrize(
    "answer",
    [
        "READONLY You can't write against a read only replica. script: 1f, on @user_script:9.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "UNBLOCKED force unblock from blocking operation, instance state changed",
        "MOVED 3999 127.0.0.1:6381",
        "CLUSTERDOWN Hash slot not served",
    ],
)
def test_an_answer_of_a_server_that_is_not_the_master_counts_as_a_lost_connection(
    answer: str,
) -> None:
    error = _answer(answer)
    found = translated(error)

    assert type(found) is BusWrongServerError
    assert str(found) == answer
    assert is_wrong_server(error)


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ("OOM command not allowed", "OOM", "OOM command not allowed"),
        ("NOPERM no permissions", "NOPERM", "NOPERM no permissions"),
        ("WRONGTYPE Operation against", "WRONGTYPE", "WRONGTYPE Operation against"),
        ("NOAUTH Authentication required.", "NOAUTH", "NOAUTH Authentication required."),
        ("ERR unknown command 'hm'", "ERR", "unknown command 'hm'"),
        ("ERR DB index is out of range", "ERR", "DB index is out of range"),
    ],
)
def test_a_rejection_has_the_code_of_redis_answer_and_its_words(
    answer: str, code: str, text: str
) -> None:
    error = _answer(answer)
    found = translated(error)

    assert isinstance(found, BusRejectedError)
    assert (found.code, str(found)) == (code, text)
    assert not is_wrong_server(error)


async def test_a_rejection_in_a_pipeline_has_the_code_too(any_source: RedisSource) -> None:
    async with any_source.client("one") as client:
        await client.set("price:SPY", b"1")
        batch = client.pipeline(transaction=False)
        batch.hget("price:SPY", "field")
        with pytest.raises(BusRejectedError) as raised, bus_errors():
            await batch.execute()

    assert raised.value.code == "WRONGTYPE"


def test_a_lost_connection_whose_text_begins_with_a_code_is_no_answer() -> None:
    assert not is_wrong_server(ConnectionError("READONLY"))


def test_errors_of_other_code_pass_through() -> None:
    with pytest.raises(LookupError), bus_errors():
        raise LookupError
