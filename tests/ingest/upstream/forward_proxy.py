"""A company's proxy on loopback: it resolves names that no other program can, and counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.tcp_server import closing, copy, tcp_server

REJECTION = "HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ForwardProxy:
    """Tunnels CONNECT, and forwards requests with an absolute URL; any name is 127.0.0.1.

    ``rejection`` is a status line's end, such as ``407 Proxy Authentication Required``.
    """

    def __init__(self) -> None:
        self.connects: list[str] = []
        self.requests: list[str] = []
        self.headers: list[str] = []
        self.rejection: str | None = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, _, rest = head.partition("\r\n")
        method, target, version = line.split(" ")
        self.headers.append(rest)
        (self.connects if method == "CONNECT" else self.requests).append(target)
        if self.rejection is not None:
            writer.write(REJECTION.format(self.rejection).encode())
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        there, onward = await asyncio.open_connection("127.0.0.1", url.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = f"{url.path}?{url.query}" if url.query else url.path
            onward.write(f"{method} {path} {version}\r\n{rest}".encode())
        async with closing(onward):
            await asyncio.gather(copy(reader, onward), copy(there, writer))


@asynccontextmanager
async def forward_proxy() -> AsyncIterator[tuple[str, ForwardProxy]]:
    """Run a proxy; yield its address ``host:port`` and its counts."""
    proxy = ForwardProxy()
    async with tcp_server(proxy.talk) as port:
        yield f"127.0.0.1:{port}", proxy
