"""The reliable cancellation of tasks by their owner."""

import asyncio

import structlog

log = structlog.get_logger()

PATIENCE_SECONDS = 1.0


async def cancel(*tasks: asyncio.Task[object], patience: float = PATIENCE_SECONDS) -> None:
    """Cancel tasks and wait until all have ended; their results and errors stay in them.

    Library code can swallow a cancellation (``asyncio.wait_for`` on Python 3.11 does), and the task
    would then not end. A task that has not ended after ``patience`` seconds is therefore cancelled
    again. Give more patience to a task that closes resources: the second cancellation would
    interrupt it.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=patience)
        if waiting:
            names = sorted(task.get_name() for task in waiting)
            log.warning("task_ignored_cancellation", tasks=names)
