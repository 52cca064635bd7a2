"""A plugin of pytest: a test fails if it leaves a connection open at the end of its event loop.

Python reports such a connection when it is collected, in whichever test runs then.
"""

import asyncio
from typing import Any

import pytest


class LeftoverConnectionError(AssertionError):
    """The event loop was closed with open connections."""


_close = asyncio.SelectorEventLoop.close


def _close_with_no_connection(loop: Any) -> None:
    left = [] if loop.is_closed() else [*loop._transports.values()]
    open_ones = [each for each in left if not each.is_closing()]
    words = [
        f"{each.get_extra_info('sockname')} to {each.get_extra_info('peername')}: "
        f"{each.get_protocol()!r}"
        for each in open_ones
    ]
    for each in open_ones:
        each.abort()
    if open_ones:
        loop.run_until_complete(asyncio.sleep(0))
    _close(loop)
    if words:
        raise LeftoverConnectionError("; ".join(words))


def pytest_configure(config: pytest.Config) -> None:
    """Look at every loop of the run."""
    del config
    asyncio.SelectorEventLoop.close = _close_with_no_connection  # type: ignore[assignment, method-assign]
