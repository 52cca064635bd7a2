import asyncio

import pytest

from shared.waiting import wait_at_most
from tests.limits import LIMIT_SECONDS


async def test_it_ends_with_the_event_however_long_the_limit() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait_at_most(event, 600))
    await asyncio.sleep(0)
    assert not waiting.done()

    event.set()
    async with asyncio.timeout(LIMIT_SECONDS):
        await waiting


async def test_without_the_event_it_ends_with_the_limit() -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        await wait_at_most(asyncio.Event(), 0.01)


async def test_a_cancellation_comes_out() -> None:
    waiting = asyncio.create_task(wait_at_most(asyncio.Event(), 600))
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
