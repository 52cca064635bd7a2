"""The acceptor of connections: no more than there are files for, and a few at a time."""

import asyncio
import errno
import socket
from collections.abc import Callable

from gateway.http.connections import Connections

AT_ONCE = 4
"""How many connections are accepted in one turn of the loop. A crowd of two thousand at once would
delay every stream by its whole handshake."""

RETRY_SECONDS = 0.2

_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts the connections of a listening socket.

    libuv accepts every waiting connection, and resets those beyond the limit of open files. Here,
    a connection with no room waits in the kernel until another one ends. ``on_full`` is called
    each time that there is none.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        connections: Connections,
        on_full: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        listener.setblocking(False)
        self._listener = listener
        self._make_protocol = make_protocol
        self._connections = connections
        self._on_full = on_full
        self._opening: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._is_listening = False
        self._stopped = False

    def listen(self) -> None:
        """Accept connections from now on, or again: there may be room."""
        if not self._stopped and not self._is_listening:
            self._is_listening = True
            self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Accept no further connection; wait until each accepted one has its protocol."""
        self._stopped = True
        self._pause()
        if self._retry is not None:
            self._retry.cancel()
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            # Those that were accepted in this turn are not yet among the open ones.
            if self._connections.room <= len(self._opening):
                self._wait_for_room()
                return
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # the peer has gone already
                continue
            except OSError as error:
                if error.errno not in _NO_FILES:
                    raise
                # Something else in this process has taken the files that were left.
                self._wait_for_room()
                return
            accepted.setblocking(False)
            opening = self._loop.create_task(self._open(accepted))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _wait_for_room(self) -> None:
        self._on_full()
        self._pause()
        # Its end calls ``listen``; the timer does if nothing else ends.
        self._connections.end_oldest_waiting()
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self._loop.call_later(RETRY_SECONDS, self.listen)

    def _pause(self) -> None:
        if self._is_listening:
            self._is_listening = False
            self._loop.remove_reader(self._listener)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, accepted)
        except OSError:  # the peer has gone already
            accepted.close()
