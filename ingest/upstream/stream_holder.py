"""Holding a connection open: connect, subscribe as the demand changes, reconnect with patience."""

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

from ingest.alpaca.unreadable import BadFrameError
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.stream_health import StreamHealth
from ingest.upstream.upstream_error import Retry, UpstreamError
from shared.first_error import first_error

log = structlog.get_logger()

SUBSCRIPTION_ANSWER_SECONDS = 5.0
"""The limit for Alpaca's answer to a change of the subscription."""

STABLE_SECONDS = 10.0
"""After a connection that lasted this long, the next failure counts as the first."""

STUCK_SECONDS = 1.0
"""The pause after an answer that changed nothing: the same request must not flood Alpaca."""

SPREAD_SECONDS = 0.5
"""After Alpaca restarts, its clients should not all reconnect in the same moment."""

MESSAGES_AT_ONCE = 500
"""Yielding to other tasks after every frame would cost more than a small frame itself."""

_soon = wait_random_exponential(multiplier=0.5, min=0.1, max=30)
_slot_taken = wait_random(3, 10)
_too_many = wait_random(90, 110)


def wait_for(state: RetryCallState) -> float:
    """Return the seconds to wait before the next attempt, by the kind of the failure."""
    error = state.outcome.exception() if state.outcome else None
    # Alpaca counts connection attempts per minute; trying earlier extends the ban.
    if isinstance(error, UpstreamError) and error.retry is Retry.MUCH_LATER:
        return float(_too_many(state))
    # Another session holds the slot. It can be released at any time, so this wait does not grow.
    if isinstance(error, UpstreamError) and error.retry is Retry.LATER:
        return float(_slot_taken(state))
    return float(_soon(state))


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, UpstreamError) and error.retry is not Retry.NEVER


class Stream(Protocol):
    """A connection: ``open``, then ``frame`` until it raises, then ``shut``."""

    async def open(self) -> None:
        """Connect and authenticate.

        Raises:
            UpstreamError: the connection failed or Alpaca rejected the keys.
        """

    async def frame(self) -> bytes | str:
        """Return the next frame.

        Raises:
            UpstreamError: the connection is lost.
        """

    async def change(self, change: SubscriptionChange) -> None:
        """Request a change; the answer comes as a frame."""

    async def shut(self) -> None:
        """Close the connection with a WebSocket close."""


class StreamHandler(Protocol):
    """The use of a connection: its subscription, the meaning of its messages, its silence."""

    name: str

    malformed: MalformedData
    """The messages that could not be read or applied, and the frames."""

    def decode(self, frame: bytes | str) -> Sequence[Any]:
        """Return the messages of a frame.

        Raises:
            BadFrameError: it contains no messages.
        """

    async def needed(self) -> None:
        """Return once the connection is needed."""

    def connected(self) -> None:
        """Start with a new connection, which has no subscription."""

    def lost(self) -> None:
        """Note that the connection has ended."""

    def next_change(self) -> SubscriptionChange | None:
        """Return the change of the subscription to request now, or None."""

    @property
    def stuck(self) -> bool:
        """Whether the last answer changed nothing, so that the same request would come next."""

    async def demand_changed(self) -> None:
        """Return when there may be a new change to request, or after a while."""

    def apply(self, messages: Sequence[Any], received_us: int) -> bool:
        """Apply the messages of a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """

    async def watch(self) -> None:
        """Run beside the reading.

        Raises:
            UpstreamError: the connection is mute.
        """


class StreamHolder:
    """Holds one connection open for as long as this process leads.

    ``health`` is its state.
    """

    def __init__(
        self,
        connect: Callable[[], Stream],
        handler: StreamHandler,
        health: StreamHealth,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = handler.name
        self.health = health
        self.in_use = False
        """Whether the connection has been needed yet."""
        self._connect = connect
        self._handler = handler
        self._monotonic = monotonic
        self._jitter = jitter
        self._answered = asyncio.Event()

    @property
    def malformed(self) -> MalformedData:
        """The data of this stream that could not be read or applied."""
        return self._handler.malformed

    async def run(self) -> None:
        """Hold the connection until cancelled.

        Raises:
            UpstreamError: another attempt would give the same error; ``health`` is ``failed``.
        """
        await self._handler.needed()
        self.in_use = True
        try:
            while True:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(_is_retryable),
                    wait=wait_for,
                    before_sleep=self._before_retry,
                    reraise=True,
                ):
                    with attempt:
                        await self._hold_one()
                # Only a stable connection gets here, and a new AsyncRetrying starts to count again.
                await asyncio.sleep(SPREAD_SECONDS * self._jitter())
        except UpstreamError as error:
            self.health.set("failed", str(error), error.code)
            raise
        except asyncio.CancelledError:
            # The last status of a clean stop: a client must not see "live" until the key expires.
            self.health.set("connecting", "this ingest has stopped")
            raise

    async def _hold_one(self) -> None:
        """Hold one connection until it ends; return normally only if it was stable.

        Raises:
            UpstreamError: it could not be opened, did not last, or ended with a lasting problem.
        """
        stream = self._connect()
        await stream.open()
        connected_at = self._monotonic()
        log.info("alpaca_connected", stream=self.name)
        self._handler.connected()
        self.health.set("live")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stream))
                tasks.create_task(self._follow_demand(stream))
                tasks.create_task(self._handler.watch())
        except* UpstreamError as group:
            lost = first_error(group)
            # Reported before the connection is closed, which can take three seconds.
            if lost.retry is not Retry.NEVER:
                self.health.set("reconnecting", str(lost), lost.code)
            # Raising counts as a failed attempt, after which the waits grow. A connection that
            # lasted was no failure, except if Alpaca itself demands a pause: 406 or 429.
            if lost.retry is not Retry.SOON or self._monotonic() - connected_at < STABLE_SECONDS:
                raise lost from None
            self._report_loss(lost)
        finally:
            self._handler.lost()
            await stream.shut()

    async def _read(self, stream: Stream) -> None:
        while True:
            budget = MESSAGES_AT_ONCE
            while budget > 0:
                budget -= self._apply(await stream.frame())
            # frame() does not suspend while frames are buffered, and a burst at the opening bell
            # would keep the publisher and the lease's renewal from running.
            await asyncio.sleep(0)

    def _apply(self, frame: bytes | str) -> int:
        """Apply a frame; return the number of its messages, at least 1."""
        messages: Sequence[Any] = ()
        try:
            messages = self._handler.decode(frame)
            answered = self._handler.apply(messages, time.time_ns() // 1000)
        except UpstreamError:
            raise
        except BadFrameError as error:
            # One broken frame is no reason to reconnect: that would lose more than the frame.
            self.malformed.note("frame", error)
        except Exception as error:
            # The handlers catch what one message causes. An error outside them costs the frame.
            self.malformed.note_escaped("frame", error)
        else:
            if answered:
                self._answered.set()
                self.health.note_subscription()
        return len(messages) or 1

    async def _follow_demand(self, stream: Stream) -> None:
        """Request one change after the other; Alpaca's answers do not name their request.

        Raises:
            UpstreamError: Alpaca does not answer.
        """
        while True:
            change = self._handler.next_change()
            if change is None:
                await self._handler.demand_changed()
                continue
            # Cleared before the request: the answer can arrive while the request is being sent.
            self._answered.clear()
            await stream.change(change)
            if not await _event_within(self._answered, SUBSCRIPTION_ANSWER_SECONDS):
                raise UpstreamError(
                    f"no answer to {change.action} within {SUBSCRIPTION_ANSWER_SECONDS:g} s"
                )
            if self._handler.stuck:
                await asyncio.sleep(STUCK_SECONDS)

    def _before_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        self._report_loss(error, round(wait, 1))

    def _report_loss(self, error: BaseException | None, wait_seconds: float = 0.0) -> None:
        self.health.reconnects += 1
        code = error.code if isinstance(error, UpstreamError) else None
        self.health.set("reconnecting", str(error), code)
        log.warning(
            "alpaca_disconnected",
            stream=self.name,
            error=str(error),
            next_attempt_seconds=wait_seconds,
        )


async def _event_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; return whether it was set in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
