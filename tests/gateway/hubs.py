"""A running gateway with its hub, for tests that look at what it keeps."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from gateway import composition
from gateway.fanout.hub import Hub
from shared.bus.redis_source import RedisSource
from tests.services import running_gateway, until


@asynccontextmanager
async def gateway_with_hub(
    source: RedisSource,
    run: Callable[..., AbstractAsyncContextManager[str]] = running_gateway,
    **settings: Any,
) -> AsyncIterator[tuple[str, Hub]]:
    """Run a gateway; yield its URL and its hub."""
    made: list[Hub] = []

    def make(*arguments: Any, **named: Any) -> Hub:
        made.append(Hub(*arguments, **named))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "Hub", make)
        async with run(source, **settings) as url:
            await until(lambda: bool(made))
            yield url, made[0]
