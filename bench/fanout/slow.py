"""A client that stops reading, among many that continue."""

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from bench.fanout.load import Load
from bench.fanout.load_client import request_of
from bench.fanout.servers import Server
from bench.fanout.traffic import Plan, Traffic, open_streams, run_traffic
from bench.fanout.workload import Audience, Tape

BUFFER_BYTES = 16 * 1024
"""The kernel's receive buffer of the slow client: small, so that the server's behaviour shows."""

WAKE_SECONDS = 1.0
"""The silence after which a client that reads again has received everything."""

_EVENT = re.compile(rb'"event_id":"\d+-(\d+)","symbol":"(\w+)"')


@dataclass(frozen=True)
class Woken:
    """The data that a paused client finds when it reads again.

    ``stale``: events that a newer one of their symbol follows; ``stale_bytes``: all bytes up to
    the last of them. ``stale_late``: those published in the second half of the pause, when the
    buffers were full; a server that conflates has none. ``newest``: each symbol's last event is the
    newest.
    """

    stale: int
    stale_late: int
    stale_bytes: int
    newest: bool

    @classmethod
    def of(cls, data: bytes, newest: dict[str, int], late_after: int) -> "Woken":
        """Evaluate bytes by the newest ``seq`` of each symbol; late are those above a ``seq``."""
        stale = stale_late = stale_bytes = 0
        last: dict[str, int] = {}
        for found in _EVENT.finditer(data):
            seq, symbol = int(found.group(1)), found.group(2).decode()
            last[symbol] = seq
            if seq != newest[symbol]:
                stale += 1
                stale_late += seq > late_after
                stale_bytes = found.end()
        return cls(stale, stale_late, stale_bytes, last == newest)


@dataclass(frozen=True)
class Slow:
    """The other clients' traffic with and without one that does not read, and that one's data.

    ``rate`` in ticks a second.
    """

    server: str
    rate: float
    without: Traffic
    beside: Traffic
    woken: Woken


async def sleeper(server: Server, symbols: Sequence[str]) -> socket.socket:
    """Open a stream of all symbols, and do not read it."""
    [(host, port, path)] = server.requests(Audience((tuple(symbols),)))
    opened = socket.socket()
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, (host, port))
    await loop.sock_sendall(opened, request_of(path))
    return opened


async def wake(opened: socket.socket) -> bytes:
    """Read until no more data arrive."""
    loop, data = asyncio.get_running_loop(), bytearray()
    try:
        while True:
            async with asyncio.timeout(WAKE_SECONDS):
                read = await loop.sock_recv(opened, 1 << 20)
            if not read:
                break
            data += read
    except (TimeoutError, ConnectionError):
        pass
    return bytes(data)


async def slow_client(
    server: Server, load: Load, plan: Plan, tape: Tape, others: Sequence[psutil.Process]
) -> Slow:
    """Run the traffic twice, the second time with a client that does not read."""
    await open_streams(server, load, plan.audience, tape)
    without = await run_traffic(server, load, plan, tape, others)
    with await sleeper(server, plan.symbols) as opened:
        beside = await run_traffic(server, load, plan, tape, others)
        late_after = max(tape.newest.values()) - round(plan.rate * plan.seconds / 2)
        woken = Woken.of(await wake(opened), tape.newest, late_after)
    return Slow(server.name, plan.rate, without, beside, woken)
