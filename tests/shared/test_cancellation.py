"""Ending tasks for certain."""

import asyncio

from structlog.testing import capture_logs

from shared.cancellation import cancel
from tests.limits import LIMIT_SECONDS


async def swallowing(times: int, swallowed: list[int]) -> None:
    for number in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(number)
    await asyncio.Event().wait()


async def test_tasks_are_cancelled_and_have_ended() -> None:
    tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(3)]
    with capture_logs() as lines:
        await cancel(*tasks)

    assert all(task.cancelled() for task in tasks)
    assert lines == []


async def test_one_that_swallows_its_cancellation_is_cancelled_until_it_ends() -> None:
    swallowed: list[int] = []
    task = asyncio.create_task(swallowing(2, swallowed), name="deaf")
    await asyncio.sleep(0)
    with capture_logs() as lines:
        async with asyncio.timeout(LIMIT_SECONDS):
            await cancel(task, patience=0.05)

    assert task.cancelled()
    assert swallowed == [0, 1]
    assert [(line["log_level"], line["tasks"]) for line in lines] == [("warning", ["deaf"])] * 2


async def test_one_that_ends_with_an_error_keeps_it() -> None:
    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await cancel(task)

    assert isinstance(task.exception(), ValueError)


async def test_what_has_ended_already_needs_nothing() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await cancel(task)
    await cancel()

    assert not task.cancelled()
