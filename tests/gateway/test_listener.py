"""What every accepted connection inherits from the socket that listens."""

import socket

import pytest

from gateway.http.listener import listen
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from tests.limits import LIMIT_SECONDS


def _accepted(listener: socket.socket) -> dict[str, int]:
    """Return the options of a connection that a listening socket accepts."""
    listener.setblocking(True)
    with listener, socket.create_connection(listener.getsockname()[:2], timeout=LIMIT_SECONDS):
        connection, _ = listener.accept()
        with connection:
            found = {
                name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in (
                    "TCP_NOTSENT_LOWAT",
                    "TCP_USER_TIMEOUT",
                    "TCP_KEEPIDLE",
                    "TCP_KEEPINTVL",
                )
            }
            found["SO_KEEPALIVE"] = connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return found


def test_a_connection_is_watched_by_the_kernel() -> None:
    found = _accepted(listen("127.0.0.1", 0, patience_seconds=12.5))

    assert found["SO_KEEPALIVE"] == 1
    assert found["TCP_NOTSENT_LOWAT"] == 16 * 1024
    assert found["TCP_USER_TIMEOUT"] == 12_500
    assert (found["TCP_KEEPIDLE"], found["TCP_KEEPINTVL"]) == (15, 5)


@pytest.mark.parametrize("seconds", [0.1, 30, 600])
def test_the_kernel_is_more_patient_with_a_client_that_does_not_read_than_we_are(
    seconds: float,
) -> None:
    settings = GatewaySettings(
        _env_file=None,  # type: ignore[call-arg]
        port=0,
        slow_client_seconds=seconds,
    )
    service = GatewayService.bind(settings, RedisSource("memory://"))

    assert seconds * 1000 < _accepted(service.listener)["TCP_USER_TIMEOUT"] <= 610_000
