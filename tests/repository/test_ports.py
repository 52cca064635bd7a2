"""Tests that run in parallel are never given the same port."""

import socket

import pytest

from tests.ports import KEPT, free_port


def test_a_port_stays_reserved_while_others_are_given() -> None:
    ports = [free_port() for _ in range(KEPT)]

    assert len(set(ports)) == KEPT
    for port in ports:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))


def test_a_server_can_listen_on_a_reserved_port_and_again_after_a_restart() -> None:
    port = free_port()
    for _ in range(2):
        with (
            socket.create_server(("127.0.0.1", port)) as server,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            accepted, _peer = server.accept()
            accepted.close()
            assert client.recv(1) == b""


def test_nothing_answers_on_a_port_that_is_only_reserved() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()))
