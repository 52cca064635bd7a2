import socket

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
)

from shared.bus.errors import (
    BusError,
    BusRejectedError,
    BusUnreachableError,
    bus_errors,
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


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), BusUnreachableError),
        (ConnectionResetError("peer"), BusUnreachableError),
        (BusyLoadingError("LOADING"), BusUnreachableError),
        (ReadOnlyError("READONLY"), BusRejectedError),
        (OutOfMemoryError("OOM"), BusRejectedError),
        (AuthenticationError("WRONGPASS"), BusRejectedError),
    ],
)
def test_an_error_is_one_of_the_two_kinds_and_has_a_text(
    error: OSError, expected: type[BusError]
) -> None:
    found = translated(error)

    assert type(found) is expected
    assert str(found)


def test_errors_of_other_code_pass_through() -> None:
    with pytest.raises(LookupError), bus_errors():
        raise LookupError
