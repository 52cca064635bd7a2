"""Third-party clients behind one interface: a program that prints the events it receives."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.event_stream import Event, EventStream
from tests.limits import LIMIT_SECONDS
from tests.programs import ROOT

FOLDER = Path(__file__).parent

DRIVERS = {
    "chromium": "js/chromium_stream.mjs",
    "eventsource": "js/eventsource_stream.mjs",
    "eventsource-client": "js/eventsource_client_stream.mjs",
    "fetch-event-source": "js/fetch_event_source_stream.mjs",
    "httpx-sse": "python/httpx_sse_stream.py",
    "sseclient-py": "python/sseclient_stream.py",
    "curl": "curl_stream.sh",
}
"""Each client's program. It ends by itself only where the client gives up, and says why."""


@dataclass(frozen=True)
class ForeignClient:
    """How to start a client: the words before its stream's URL, and what it needs to know."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ForeignStream(EventStream):
    """What a client has received over all its connections; ``times`` are by its clock, in ms."""

    times: list[float] = field(default_factory=list)
    last_words: str = ""

    async def until(
        self, true: Callable[[EventStream], object], seconds: float = LIMIT_SECONDS
    ) -> None:
        """Wait until the events so far satisfy a condition; fail at once if the client gives up."""
        await super().until(lambda stream: true(stream) or self.ended, seconds)
        assert true(self), f"the client has given up: {self.last_words}"


@asynccontextmanager
async def following(client: ForeignClient, url: str) -> AsyncIterator[ForeignStream]:
    """Have a client follow a stream until the block is left."""
    stream = ForeignStream()
    process = await asyncio.create_subprocess_exec(
        *client.command,
        url,
        cwd=ROOT,
        env={**os.environ, **client.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that what it starts ends with it
    )
    reading = asyncio.create_task(_read(process, stream))
    try:
        yield stream
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(LIMIT_SECONDS):
            await reading
            await process.wait()


async def _read(process: asyncio.subprocess.Process, stream: ForeignStream) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    async for line in process.stdout:
        said = json.loads(line)
        stream.times.append(said["at"])
        await stream.add(Event(said["kind"], said["data"], said["id"], None))
    stream.last_words = (await process.stderr.read()).decode()
    await stream.add(None)


def command(driver: str, node: str) -> tuple[str, ...]:
    """Return the words that start a driver."""
    path = FOLDER / driver
    if path.suffix == ".mjs":
        return (node, str(path))
    if path.suffix == ".py":
        return (sys.executable, "-m", ".".join(path.relative_to(ROOT).with_suffix("").parts))
    return ("bash", str(path))
