"""Ending tasks that one owns, for certain."""

import asyncio

import structlog

log = structlog.get_logger()

PATIENCE_SECONDS = 1.0


async def cancel(*tasks: asyncio.Task[object], patience: float = PATIENCE_SECONDS) -> None:
    """Cancel tasks and wait until all have ended; their results and errors stay in them.

    Other people's code can swallow a cancellation (``asyncio.wait_for`` on Python 3.11 does), and
    the task then never ends. So whatever has not ended after ``patience`` seconds is cancelled
    again. Give more patience to a task that has something to close: the second cancellation would
    cut that short.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=patience)
        if waiting:
            names = sorted(task.get_name() for task in waiting)
            log.warning("cancelled tasks go on; cancelling them again", tasks=names)
