"""One of our processes: its loop, its signals, its exit status."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import uvloop

EXIT_SETTINGS = 78
"""EX_CONFIG of sysexits.h: waiting cannot help, a setting must be changed."""


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run ``main`` with an event that SIGTERM or SIGINT sets, and end the process with its status.

    A second signal ends the process at once. Returns only if the loop could not run ``main``.
    """

    async def guarded() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            # The second Ctrl-C: the operator does not wait for an orderly end. If the process still
            # hangs, a third one gets Python's own handler.
            if stop.is_set():
                loop.remove_signal_handler(signal.SIGINT)
                loop.remove_signal_handler(signal.SIGTERM)
                raise SystemExit(1)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        return await main(stop)

    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        _end(runner.run(guarded()))
    return 1


def _end(status: int) -> NoReturn:
    """End the process at once, after the last lines of its log.

    ``main`` has given back everything that others wait for. Python's own end would wait for
    threads, such as a request of REST that does not return, and collect garbage: on a machine that
    is short of CPU that took longer than a supervisor's patience.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a closed pipe, a full disk
            stream.flush()
    os._exit(status)


def refuse(service: str, problems: str) -> int:
    """Print why a process cannot start, one line per problem, and return its exit status."""
    print(f"{service} cannot start:", *problems.splitlines(), sep="\n  ", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS
