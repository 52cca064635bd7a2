"""Holding a connection: connect, stay in step with the demand, and come back with patience."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random,
    wait_random_exponential,
)

from ingest.alpaca import messages as wire
from ingest.demand.subscription import Change
from ingest.upstream.feed_error import HTTP_TOO_MANY_REQUESTS, FeedError, Retry
from ingest.upstream.feed_health import FeedHealth

log = structlog.get_logger()

ANSWER_SECONDS = 5.0
"""Limit for Alpaca's answer to a change of the subscription."""

STABLE_SECONDS = 10.0
"""A connection that lived as long was a good one: the next failure counts as the first."""

STUCK_SECONDS = 1.0

MESSAGES_AT_ONCE = 500
"""A switch of tasks after every frame would cost more than a small frame itself."""

_soon = wait_random_exponential(multiplier=0.5, min=0.1, max=30)
_slot_taken = wait_random(3, 10)
_too_many = wait_random(90, 110)


def wait_for(state: RetryCallState) -> float:
    """Return the seconds to wait before the next attempt, by the kind of the failure."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, FeedError) and error.code == HTTP_TOO_MANY_REQUESTS:
        return float(_too_many(state))
    if isinstance(error, FeedError) and error.retry is Retry.LATER:
        return float(_slot_taken(state))
    return float(_soon(state))


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, FeedError) and error.retry is not Retry.NEVER


class Stream(Protocol):
    """A connection: ``open``, then ``frame`` until it raises, then ``shut``."""

    async def open(self) -> None:
        """Connect and authenticate.

        Raises:
            FeedError: it did not work.
        """

    async def frame(self) -> bytes | str:
        """Return the next frame.

        Raises:
            FeedError: the connection is lost.
        """

    async def change(self, change: Change) -> None:
        """Ask for a change; the answer comes as a frame."""

    async def shut(self) -> None:
        """End it in order."""


class Side(Protocol):
    """What a connection is for: what to ask, what the messages mean, when it has gone mute."""

    name: str

    def decode(self, frame: bytes | str) -> Sequence[Any]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: there are none in it.
        """

    async def needed(self) -> None:
        """Return once somebody wants what the connection brings."""

    def connected(self) -> None:
        """Begin with a new connection, on which nothing is subscribed."""

    def lost(self) -> None:
        """Note that the connection has ended."""

    def next_change(self) -> Change | None:
        """Return what to ask for now, or None."""

    @property
    def stuck(self) -> bool:
        """Whether the last answer changed nothing, so that asking at once would repeat it."""

    async def demand_changed(self) -> None:
        """Return when there may be something new to ask for, or after a while."""

    def apply(self, messages: Sequence[Any], received_us: int) -> bool:
        """Take a frame; return whether it answers a change.

        Raises:
            FeedError: Alpaca ends the connection.
        """

    async def watch(self) -> None:
        """Run beside the reading.

        Raises:
            FeedError: the connection is mute.
        """


class Feed:
    """One connection for as long as this process leads."""

    def __init__(
        self,
        connect: Callable[[], Stream],
        side: Side,
        health: FeedHealth,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.malformed_frames = 0
        self.in_use = False
        """Whether somebody has needed it yet."""
        self._connect = connect
        self._side = side
        self._health = health
        self._monotonic = monotonic
        self._jitter = jitter
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Hold the connection until cancelled.

        Raises:
            FeedError: one that waiting does not mend; ``health`` says ``failed``.
        """
        await self._side.needed()
        self.in_use = True
        try:
            while True:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(_worth_retrying),
                    wait=wait_for,
                    before_sleep=self._before_retry,
                    reraise=True,
                ):
                    with attempt:
                        await self._connection()
                await asyncio.sleep(0.5 * self._jitter())
        except FeedError as error:
            self._health.set("failed", str(error), error.code)
            raise
        except asyncio.CancelledError:
            self._health.set("connecting", "this ingest has stopped")
            raise

    async def _connection(self) -> None:
        """Live through one connection; return if it was stable before it was lost."""
        stream = self._connect()
        await stream.open()
        connected = self._monotonic()
        log.info("alpaca connected", stream=self._side.name)
        self._side.connected()
        self._health.set("live")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stream))
                tasks.create_task(self._keep_in_step(stream))
                tasks.create_task(self._side.watch())
        except* FeedError as group:
            lost = group.exceptions[0]
            assert isinstance(lost, FeedError)  # noqa: S101 - except* has matched it
            if lost.retry is not Retry.NEVER:
                # Now: the closing may take 3 s.
                self._health.set("reconnecting", str(lost), lost.code)
            if lost.retry is not Retry.SOON or self._monotonic() - connected < STABLE_SECONDS:
                raise lost from None
            self._lost(lost)
        finally:
            self._side.lost()
            await stream.shut()

    async def _read(self, stream: Stream) -> None:
        while True:
            room = MESSAGES_AT_ONCE
            while room > 0:
                room -= self._take(await stream.frame())
            await asyncio.sleep(0)  # frames that wait do not suspend: let others run

    def _take(self, frame: bytes | str) -> int:
        """Apply a frame; return by how much it counts."""
        try:
            messages = self._side.decode(frame)
        except wire.BadFrameError as error:
            self.malformed_frames += 1
            log.warning("bad frame", stream=self._side.name, error=str(error))
            return 1
        if self._side.apply(messages, time.time_ns() // 1000):
            self._answered.set()
            self._health.on_change()
        return len(messages) or 1

    async def _keep_in_step(self, stream: Stream) -> None:
        while True:
            change = self._side.next_change()
            if change is None:
                await self._side.demand_changed()
                continue
            self._answered.clear()
            await stream.change(change)
            if not await _event_within(self._answered, ANSWER_SECONDS):
                raise FeedError(f"no answer to {change.action} within {ANSWER_SECONDS:g} s")
            if self._side.stuck:
                await asyncio.sleep(STUCK_SECONDS)

    def _before_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        self._lost(error, round(wait, 1))

    def _lost(self, error: BaseException | None, wait_seconds: float = 0.0) -> None:
        self._health.reconnects += 1
        code = error.code if isinstance(error, FeedError) else None
        self._health.set("reconnecting", str(error), code)
        log.warning(
            "alpaca lost",
            stream=self._side.name,
            error=str(error),
            next_attempt_seconds=wait_seconds,
        )


async def _event_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
