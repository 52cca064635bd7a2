"""One ``standalone`` for all tests of documents and examples, with another origin allowed."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from tests.ports import free_port
from tests.programs import program, ready


@dataclass(frozen=True)
class Standalone:
    """The addresses of a running ``standalone``, as it prints them at its start."""

    url: str
    redis_url: str
    simulator_url: str
    other_origin_port: int


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def standalone() -> AsyncIterator[Standalone]:
    port, other_origin_port = free_port(), free_port()
    origin = f"http://127.0.0.1:{other_origin_port}"
    async with program("standalone", PORT=str(port), CORS_ORIGINS=origin) as running:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        valkey = re.search(r"redis-cli -p (\d+)", running.output)
        simulator = re.search(r"(http://127\.0\.0\.1:\d+)/v2/orders", running.output)
        assert valkey
        assert simulator
        yield Standalone(url, f"redis://127.0.0.1:{valkey[1]}/0", simulator[1], other_origin_port)
