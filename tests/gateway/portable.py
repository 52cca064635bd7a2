"""A gateway under a server that does not offer its transport, as under any other ASGI server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import uvicorn

from gateway import service as gateway_service
from gateway.http.server import Server
from shared.bus.redis_source import RedisSource
from tests.services import running_gateway

Run = Callable[..., AbstractAsyncContextManager[str]]
"""Runs a gateway for as long as its block lasts; gives its URL."""


def plain_server(app: Any, **_: Any) -> Server:
    """Return uvicorn as it comes."""
    return Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


@asynccontextmanager
async def running_portably(source: RedisSource, **settings: Any) -> AsyncIterator[str]:
    """Run a gateway over plain uvicorn with h11; yield its URL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_service, "make_server", plain_server)
        async with running_gateway(source, **settings) as url:
            yield url
