"""A real Chromium for tests, through ``tests/foreign/js/browser.mjs``."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.limits import LIMIT_SECONDS, limit

JS = Path(__file__).parent / "foreign" / "js"
ANSWER_SECONDS = LIMIT_SECONDS + limit(10)
"""Longer than the driver itself waits, whose error says what it waited for."""


class Browser:
    """One browser; its commands are about the tab that was opened or shown last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, command: str, **given: Any) -> Any:
        """Run a command and return its answer; its error fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await self._process.stdout.readline()
        assert line, "the browser's driver ended; its words are on stderr"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    async def until(self, selector: str, matches: str, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until an element's text matches a pattern."""
        await self.do("until", selector=selector, matches=matches, seconds=seconds)


@asynccontextmanager
async def open_browser(node: str, chromium: str) -> AsyncIterator[Browser]:
    """Start a Chromium; both are paths."""
    process = await asyncio.create_subprocess_exec(
        node,
        "browser.mjs",
        cwd=JS,
        env={**os.environ, "CHROMIUM": chromium},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Browser(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(ANSWER_SECONDS):
            await process.wait()
