"""Gateways as separate processes, as they are deployed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.ports import free_port
from tests.programs import Program, program, ready


@asynccontextmanager
async def gateway_process(
    redis_url: str, port: int | None = None, **environment: str
) -> AsyncIterator[tuple[str, Program]]:
    """Run a gateway, on a free port by default, until the block is left; yield its URL and it."""
    port = port or free_port()
    async with program("gateway", REDIS_URL=redis_url, PORT=str(port), **environment) as running:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        assert running.process.returncode is None, f"another answers at {url}: {running.output}"
        yield url, running
