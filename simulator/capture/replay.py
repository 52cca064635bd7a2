"""The replay of a capture: one place in the file for all streams, in recorded order.

It waits for the acts of the recording client, its connections and its requests. So nothing that
came after one of them is sent before it.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice
from typing import Final

from simulator.capture.capture_file import CaptureFile, Frame, Record
from simulator.capture.outline import Outline, RecordedConnection
from simulator.capture.pace import Pace
from simulator.capture.stream import ReplayedStream
from simulator.protocol.rfc3339 import SECOND

EARLY_SECONDS: Final = 3.0
"""A request that comes so much earlier than the recorded one waits for its place: Tapecast's ingest
waits 5 s for an answer. One that comes earlier still is answered at once."""

HELD_UP_SECONDS: Final = 0.5
"""If the replay waits for longer, the clients of other streams are answered meanwhile: Tapecast's
ingest waits one second for the first answers."""

_BATCH: Final = 1000
_YIELD: Final = 100


class CaptureReplay:
    """Replays a capture to the clients of its streams, once.

    `moved` returns a frame with the times that it is sent with. `patience` is in seconds.
    """

    def __init__(
        self,
        file: CaptureFile,
        outline: Outline,
        speed: float,
        patience: float,
        moved: Callable[[Frame], Frame],
    ) -> None:
        self.row = 0
        self.waits_for: str | None = None
        """The act of the client that the replay waits for, as "stocks: a request"."""
        self.has_ended = False
        self._file = file
        self._outline = outline
        self._speed = speed
        self._patience = patience
        self._pace: Pace | None = None
        self._begun = asyncio.Event()
        self._acts = outline.acts()
        self.streams = {
            path: ReplayedStream(connections, moved, self._is_soon)
            for path, connections in outline.by_path().items()
        }

    @property
    def position(self) -> int:
        """The time in the recording to which the replay has come (monotonic ns)."""
        return self._outline.start if self._pace is None else self._pace.position

    @property
    def next_act(self) -> int:
        """When the recording client did the next thing that this one has not done yet."""
        position = self.position
        if self.waits_for is not None:
            return position
        index = bisect_right(self._acts, position)
        return self._acts[index] if index < len(self._acts) else self._outline.end

    def begin(self, begin_in: float, *, is_anchored: bool) -> None:
        """Start, with the first record due in so many seconds; see `Pace` for `is_anchored`."""
        if self._pace is None:
            loop = asyncio.get_running_loop()
            self._pace = Pace(
                self._outline.start,
                self._speed,
                begin_in,
                is_anchored=is_anchored,
                time=loop.time,
                sleep=asyncio.sleep,
            )
            self._begun.set()

    async def run(self) -> None:
        """Replay the file once it has begun; then the connections stay open."""
        await self._begun.wait()
        records = self._file.records()
        # In a thread: a piece of the file may have to be decompressed.
        while batch := await asyncio.to_thread(lambda: list(islice(records, _BATCH))):
            for record in batch:
                self.row += 1
                await self._reach(record)
                if self.row % _YIELD == 0:
                    await asyncio.sleep(0)
        self.has_ended = True

    async def close(self) -> None:
        """End all connections."""
        for stream in self.streams.values():
            await stream.close()

    async def _reach(self, record: Record) -> None:
        recorded = self._outline.connections.get(record.connection)
        if recorded is None or recorded.is_lost or record.kind == "rest" or self._pace is None:
            return
        await self._pace.until(record.monotonic)
        stream = self.streams[recorded.path]
        match record.kind:
            case "connect":
                await stream.reach_connection(recorded)
                await self._until_connected(stream)
            case "refused":
                await self._until_refused(stream, recorded)
            case "sent":
                await self._until_connected(stream)
                if stream.client is not None:
                    await self._wait(stream, "a request", stream.has_request)
                stream.reach_request()
            case "received":
                await self._until_connected(stream)
                await stream.reach_frame(record.frame)
            case "end":
                by_client = record.by == "ingest"
                await stream.reach_end(record.code, record.reason, by_client=by_client)

    async def _until_connected(self, stream: ReplayedStream) -> None:
        if stream.is_awaited:
            await self._wait(stream, "a connection", stream.has_client)
            stream.is_awaited = stream.has_client()

    async def _until_refused(self, stream: ReplayedStream, recorded: RecordedConnection) -> None:
        if stream.is_awaited:
            await self._wait(stream, "a connection", lambda: stream.has_refused(recorded))
            stream.is_awaited = stream.has_refused(recorded)
        stream.reach_refusal(recorded)

    async def _wait(self, stream: ReplayedStream, act: str, is_done: Callable[[], bool]) -> None:
        """Wait until the client has done something, or the patience ends."""
        if is_done() or self._pace is None:
            return
        self.waits_for = f"{stream.name}: {act}"
        others = [each for each in self.streams.values() if each is not stream]
        try:
            first = min(HELD_UP_SECONDS, self._patience)
            if not await _done_within(first, stream, is_done):
                for other in others:
                    other.is_held_up = True
                    await other.answer_waiting()
                await _done_within(self._patience - first, stream, is_done)
        finally:
            for other in others:
                other.is_held_up = False
            self.waits_for = None
            self._pace.resume()

    def _is_soon(self, at: int) -> bool:
        return at <= self.position + EARLY_SECONDS * self._speed * SECOND


async def _done_within(seconds: float, stream: ReplayedStream, is_done: Callable[[], bool]) -> bool:
    """Wait for a client; return whether it has done something in time."""
    try:
        async with asyncio.timeout(seconds):
            while not is_done():
                stream.changed.clear()
                await stream.changed.wait()
    except TimeoutError:
        return False
    return True
