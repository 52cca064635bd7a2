"""One of our processes: its loop, its signals, its exit status."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

EXIT_SETTINGS = 78
"""EX_CONFIG of sysexits.h: waiting cannot help, a setting must be changed."""


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run ``main`` with an event that SIGTERM or SIGINT sets, and return its exit status.

    A second signal ends the process at once.
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
        return runner.run(guarded())
    return 1


def refuse(service: str, problems: str) -> int:
    """Print why a process cannot start, one line per problem, and return its exit status."""
    print(f"{service} cannot start:", *problems.splitlines(), sep="\n  ", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS
