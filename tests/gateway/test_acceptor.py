"""The connection that ends first if there is no room for another, and those that wait for room."""

import asyncio
import socket

from gateway.http.acceptor import Acceptor
from gateway.http.connections import WAITING_SECONDS, Connections
from tests.services import until


class Waiter:
    """A connection that notes its end."""

    ended = False

    def end(self) -> None:
        self.ended = True


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_connection_that_has_waited_longest_ends_first() -> None:
    clock = Clock()
    connections = Connections(9, lambda: None, clock)
    first, second, third = Waiter(), Waiter(), Waiter()
    for each in (first, second, third):
        connections.note_waiting(each)
    connections.note_busy(second)
    connections.note_waiting(first)  # again: after an answer
    clock.now = WAITING_SECONDS

    assert connections.end_oldest_waiting()
    assert (first.ended, second.ended, third.ended) == (False, False, True)
    assert connections.end_oldest_waiting()
    assert first.ended
    assert not connections.end_oldest_waiting()


def test_a_peer_that_has_just_connected_is_given_time() -> None:
    clock = Clock()
    connections = Connections(9, lambda: None, clock)
    waiter = Waiter()
    connections.note_waiting(waiter)
    clock.now = WAITING_SECONDS - 0.1

    assert not connections.end_oldest_waiting()
    assert not waiter.ended


class Kept(asyncio.Protocol):
    """A connection that is among the open ones as long as it lasts."""

    def __init__(self, connections: Connections, seen: list[object]) -> None:
        seen.append(self)
        self._connections = connections

    def connection_made(self, _: asyncio.BaseTransport) -> None:
        self._connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._connections.discard(self)


async def test_what_has_no_room_waits_in_the_kernel_until_a_connection_ends() -> None:
    full: list[bool] = []
    seen: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))
    connections = Connections(2, lambda: acceptor.listen())
    acceptor = Acceptor(
        listener, lambda: Kept(connections, seen), connections, lambda: full.append(True)
    )
    acceptor.listen()
    writers = [(await asyncio.open_connection(*listener.getsockname()))[1] for _ in range(3)]
    await until(lambda: bool(full))
    assert len(connections) == 2

    accepted = set(connections)
    for writer in writers:
        writer.transport.abort()
    await until(lambda: len(seen) == 3)
    assert len(accepted) == 2

    await acceptor.stop()
    await connections.wait_until_empty()
    listener.close()
