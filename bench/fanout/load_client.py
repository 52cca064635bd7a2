"""The clients, as a separate process: ``python -m bench.fanout.load_client``.

It reads one JSON object per line on its standard input, answers each with one, and ends with its
input. It has thousands of bare sockets in one epoll loop. A read costs it about 4 µs, so that it
is not the bottleneck; each answer includes its CPU time.
"""

import json
import os
import re
import resource
import select
import signal
import socket
import struct
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bench.fanout.event_count import EventCount

BUFFER_BYTES = 256 * 1024
AT_ONCE = 200
"""The number of connections opened at a time, unless all open at once."""

AGAIN_SECONDS = 1.0
"""The pause before a client retries a connection that was lost before its stream was live."""

PER_ADDRESS = 100
"""Connections from one address of loopback, so that no limit per address affects the result."""

_GRANTED = b"HTTP/1.1 200"
_RECEIVED = re.compile(rb'"received":(\d{16})')
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def source_address(number: int) -> str:
    """Return the local address of connection ``number``."""
    block = 256 + number // PER_ADDRESS  # from 127.0.1.0 on, where no server listens
    return f"127.0.{block // 250}.{block % 250 + 1}"


def request_of(path: str) -> bytes:
    """Return the request of an EventSource."""
    return (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n").encode()


class Opening:
    """A connection that is being opened, until its stream is live."""

    __slots__ = ("_events", "_number", "_path", "_server", "_unsent", "head", "socket")

    def __init__(self, number: int, request: tuple[str, int, str]) -> None:
        *server, self._path = request
        self._server = tuple(server)
        self._number = number

    def connect(self) -> int:
        """Start to connect, for the first time or again; return the socket's number."""
        self._unsent = request_of(self._path)
        self._events = 0
        self.head = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((source_address(self._number), 0))
        with suppress(BlockingIOError):
            self.socket.connect(self._server)
        return self.socket.fileno()

    @property
    def asked(self) -> bool:
        """Whether the request has been sent."""
        return not self._unsent

    def advance(self, live_after: bytes, events: int) -> bool:
        """Send the request, or read the available bytes; return whether the stream is live.

        Raises:
            OSError: the server rejected or ended the connection.
        """
        if self._unsent:
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
            return False
        data = self.socket.recv(BUFFER_BYTES)
        if not data:
            raise ConnectionError(f"the server ended a stream after {self.head[-100:]!r}")
        new = max(0, len(self.head) - 1)  # a blank line may have arrived in two reads
        self.head += data
        if not self.head.startswith(_GRANTED[: len(self.head)]):
            raise ConnectionError(f"the server rejected a stream: {self.head[:100]!r}")
        self._events += self.head.count(b"\n\n", new)
        return self._events >= events and live_after in self.head


class LoadClient:
    """Opens streams and reads them all."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.buffer = bytearray(BUFFER_BYTES)
        self._count = EventCount(resource.getrlimit(resource.RLIMIT_NOFILE)[0] + 1)
        self._receive: dict[int, Callable[[bytearray], int]] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._events = self._reads = self._bytes = self._lost = 0
        self._latencies = array("q")
        self._every = self._skip = 1

    def run(self) -> None:
        """Read the streams and execute commands until the input ends."""
        commands = sys.stdin.fileno()
        self._epoll.register(commands, select.EPOLLIN)
        text = b""
        while True:
            for number, _ in self._epoll.poll(-1, 4096):
                if number != commands:
                    if number in self._receive:  # not closed by a command just now
                        self._read(number)
                    continue
                data = os.read(commands, 1 << 20)
                if not data:
                    return
                *lines, text = (text + data).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def _read(self, number: int) -> None:
        try:
            size = self._receive[number](self.buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._drop(number)
            return
        self._events += self._count.take(number, self.buffer, size)
        self._reads += 1
        self._bytes += size
        self._skip -= 1
        if not self._skip:
            self._skip = self._every
            self._sample(number, size)

    def _sample(self, _: int, size: int) -> None:
        """Record the latency of each event of a chunk, since they have waited differently."""
        now = time.time_ns() // 1000
        with memoryview(self.buffer) as view:
            found = _RECEIVED.findall(view[:size])
        self._latencies.extend([now - int(published) for published in found])

    def _obey(self, command: dict[str, Any]) -> None:
        answer = getattr(self, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)

    def connect(
        self,
        requests: Sequence[tuple[str, int, str]],
        live_after: str,
        events: int,
        limit: float,
        *,
        storm: bool,
    ) -> dict[str, Any]:
        """Open streams ``(host, port, path)``; return the seconds until each was live.

        A stream is live when it has sent ``live_after`` and a number of events. A connection that
        is lost before is retried a little later; ``failures`` counts the reasons.
        """
        began = time.perf_counter()
        waiting = deque((began, Opening(*each)) for each in enumerate(requests))
        opening: dict[int, Opening] = {}
        seconds: list[float] = []
        failures: Counter[str] = Counter()
        with select.epoll() as epoll:
            while (waiting or opening) and (now := time.perf_counter()) - began < limit:
                while waiting and waiting[0][0] <= now and (storm or len(opening) < AT_ONCE):
                    stream = waiting.popleft()[1]
                    opening[stream.connect()] = stream
                    epoll.register(stream.socket, select.EPOLLOUT)
                for number, _ in epoll.poll(0.05, 4096):
                    stream, asked = opening[number], opening[number].asked
                    try:
                        live = stream.advance(live_after.encode(), events)
                    except OSError as error:
                        failures[str(error)] += 1
                        opening.pop(number).socket.close()
                        waiting.append((time.perf_counter() + AGAIN_SECONDS, stream))
                        continue
                    if live:
                        seconds.append(time.perf_counter() - began)
                        epoll.unregister(number)
                        self._hold(opening.pop(number).socket)
                    elif stream.asked and not asked:
                        epoll.modify(number, select.EPOLLIN)
        for stream in opening.values():
            stream.socket.close()
        return {"seconds": seconds, "failures": failures}

    def measure(self, every: int) -> dict[str, Any]:
        """Count from zero, and record latencies in one of ``every`` reads."""
        self._events = self._reads = self._bytes = 0
        self._latencies = array("q")
        self._every = self._skip = every
        return self.figures()

    def figures(self) -> dict[str, Any]:
        """Return the reads since ``measure``, and this process's CPU seconds."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "events": self._events,
            "reads": self._reads,
            "bytes": self._bytes,
            "lost": self._lost,
            "cpu": used.ru_utime + used.ru_stime,
        }

    def latencies(self) -> list[int]:
        """Return the latencies recorded since ``measure``, in µs."""
        return self._latencies.tolist()

    def close(self) -> dict[str, Any]:
        """Reset every connection."""
        for number in list(self._sockets):
            self._drop(number)
        self._lost = 0
        return self.figures()

    def _hold(self, opened: socket.socket) -> None:
        number = opened.fileno()
        self._sockets[number] = opened
        self._receive[number] = opened.recv_into
        self._epoll.register(number, select.EPOLLIN)

    def _drop(self, number: int) -> None:
        self._lost += 1
        del self._receive[number]
        self._sockets.pop(number).close()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with its input
    LoadClient().run()
