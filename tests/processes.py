"""Gateways as processes of their own, as they are deployed."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.programs import Program, program, ready


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def gateway_process(redis_url: str, **environment: str) -> AsyncIterator[tuple[str, Program]]:
    """Run a gateway until the block is left; yield its URL and the process."""
    port = free_port()
    async with program("gateway", REDIS_URL=redis_url, PORT=str(port), **environment) as running:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        yield url, running
