"""The CPU of measured steps, and what it was spent on."""

import asyncio
import time
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """Seconds of CPU, the messages or levels that they were for, and the events that these made."""

    cpu: float
    items: int
    events: int

    @property
    def each(self) -> float:
        """µs for each message or level."""
        return self.cpu / self.items * 1e6


class Meter:
    """Adds up the CPU of this process within ``with`` blocks, in seconds."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.process_time() - self._started


@types.coroutine
def metered(work: Coroutine[Any, Any, None], meter: Meter) -> Generator[Any, Any, None]:
    """Run a coroutine, and add its own steps to a meter: those of the event loop are left out.

    A trade is measured from its frame to the outbox with no loop at all.
    """
    step: Callable[[], Any] = partial(work.send, None)
    while True:
        with meter:
            try:
                awaited = step()
            except StopIteration:
                return
        step = partial(work.send, None)
        try:
            yield awaited
        except asyncio.CancelledError as error:  # its time-outs are such, too
            step = partial(work.throw, error)
