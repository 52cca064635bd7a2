"""Holding a connection open: connect, subscribe as the demand changes, reconnect with patience."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from ingest.alpaca.unreadable import BadFrameError
from ingest.demand.subscription import SubscriptionChange
from ingest.reach import UpstreamReach
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.reconnect_pace import URGENT_WAIT_SECONDS, Patience, ReconnectPace
from ingest.upstream.stream_health import StreamHealth
from ingest.upstream.upstream_error import Retry, UpstreamError
from shared.first_error import first_error

log = structlog.get_logger()

SUBSCRIPTION_ANSWER_SECONDS = 5.0
"""The limit for Alpaca's answer to a change of the subscription, on a connection that has answered
one. The first answer has the limit of an attempt (``Patience``): nothing is lost by another one."""

STUCK_SECONDS = 1.0
"""The pause after an answer that changed nothing: the same request must not flood Alpaca."""

MESSAGES_AT_ONCE = 500
"""Yielding to other tasks after every frame would cost more than a small frame itself."""


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, UpstreamError) and error.retry is not Retry.NEVER


class _IdleError(Exception):
    """The connection is not needed at present."""


IsAnswering = Callable[[float], Awaitable[bool]]
"""Sends a ping, and returns whether the answer comes within so many seconds."""


class Stream(Protocol):
    """A connection: ``open``, then ``frame`` until it raises, then ``shut``."""

    @property
    def awaits_slot(self) -> bool:
        """Whether ``open`` has failed because Alpaca's slot is taken, and can be repeated."""

    async def open(self, patience: Patience) -> None:
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

    async def is_answering(self, seconds: float) -> bool:
        """Return whether the answer to a ping comes within so many seconds."""

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

    @property
    def is_idle(self) -> bool:
        """Whether the connection can be closed until it is needed again."""

    def connected(self) -> None:
        """Start with a new connection, which has no subscription."""

    def lost(self) -> None:
        """Note that the connection has ended."""

    def on_bad_frame(self) -> None:
        """Note that a frame could not be read or applied, whatever it was about."""

    async def prepare(self) -> None:
        """Do what precedes the messages of the symbols that are wanted now."""

    def next_change(self) -> SubscriptionChange | None:
        """Return the change of the subscription to request now, or None."""

    @property
    def stuck(self) -> bool:
        """Whether the last answer changed nothing, so that the same request would come next."""

    @property
    def is_urgent(self) -> bool:
        """Whether clients wait for data that the connection could bring now."""

    async def demand_changed(self) -> None:
        """Return when there may be a new change to request, or after a while."""

    def apply(self, messages: Sequence[Any], received_us: int) -> bool:
        """Apply the messages of a frame; return whether it answers a change.

        Raises:
            UpstreamError: Alpaca ends the connection.
        """

    async def watch(self, is_answering: IsAnswering) -> None:
        """Run beside the reading. ``is_answering`` is that of the connection.

        Raises:
            UpstreamError: the connection is mute.
        """


class StreamHolder:
    """Holds one connection open for as long as this process leads.

    ``health`` is its state, ``reach`` learns from each attempt.
    """

    def __init__(
        self,
        connect: Callable[[], Stream],
        handler: StreamHandler,
        health: StreamHealth,
        *,
        reach: UpstreamReach | None = None,
        pace: ReconnectPace | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = handler.name
        self.health = health
        self.in_use = False
        """Whether the connection is needed, or has been so far."""
        self._connect = connect
        self._handler = handler
        self._reach = reach or UpstreamReach(monotonic)
        self._pace = pace or ReconnectPace(monotonic)
        self._monotonic = monotonic
        self._opening: Stream | None = None
        """The connection of the present or the last attempt; it may await Alpaca's slot."""
        self._answered = asyncio.Event()
        # Whether the present connection has answered a change or brought a message.
        self._has_worked = False
        # Whether the wait is our own choice: Alpaca demands some pauses, and a slot that is taken
        # does not depend on the demand.
        self._may_hurry = False

    @property
    def malformed(self) -> MalformedData:
        """The data of this stream that could not be read or applied."""
        return self._handler.malformed

    async def run(self) -> None:
        """Hold the connection until cancelled.

        Raises:
            UpstreamError: another attempt would give the same error; ``health`` is ``failed``.
        """
        try:
            while True:
                await self._handler.needed()
                self.in_use = True
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(_is_retryable),
                    wait=self._wait_after,
                    before_sleep=self._report_loss,
                    sleep=self._pause,
                    reraise=True,
                ):
                    with attempt:
                        await self._hold_one()
                self.in_use = False
                self.health.set("connecting")
                log.info("alpaca_released", stream=self.name)
        except UpstreamError as error:
            self.health.set("failed", str(error), error.code)
            raise
        except asyncio.CancelledError:
            # The last status of a clean stop: a client must not see "live" until the key expires.
            self.health.set("connecting", "this ingest has stopped")
            raise
        finally:
            await self._shut_opening()

    async def _hold_one(self) -> None:
        """Hold one connection until it ends, or is not needed at present.

        Raises:
            UpstreamError: it could not be opened, or has ended.
        """
        patience = self._pace.patience
        stream = await self._open(patience)
        connected_at = self._monotonic()
        log.info("alpaca_connected", stream=self.name)
        self._has_worked = False
        self._handler.connected()
        self.health.set("live")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stream))
                tasks.create_task(self._follow_demand(stream, patience.answer))
                tasks.create_task(self._handler.watch(stream.is_answering))
        except* UpstreamError as group:
            lost = first_error(group)
            # Reported before the connection is closed, which can take a second.
            if lost.retry is not Retry.NEVER:
                self.health.set("reconnecting", str(lost), lost.code)
            lasted = self._monotonic() - connected_at
            self._pace.on_connection_lost(lasted, has_worked=self._has_worked)
            raise lost from None
        except* _IdleError:
            pass
        finally:
            self._handler.lost()
            await stream.shut()

    async def _open(self, patience: Patience) -> Stream:
        """Return an open connection: the one that awaits the slot, or a new one.

        Raises:
            UpstreamError: it could not be opened.
        """
        if self._opening is None or not self._opening.awaits_slot:
            await self._shut_opening()
            self._opening = self._connect()
        stream = self._opening
        started, was_greeted = self._monotonic(), True
        try:
            await stream.open(patience)
        except UpstreamError as error:
            was_greeted = error.was_greeted
            raise
        finally:
            self._reach.on_attempt(self._monotonic() - started, was_greeted=was_greeted)
        self._opening = None
        return stream

    async def _shut_opening(self) -> None:
        stream, self._opening = self._opening, None
        if stream is not None:
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
            self._handler.on_bad_frame()
        except Exception as error:
            # The handlers catch what one message causes. An error outside them costs the frame.
            self.malformed.note_escaped("frame", error)
            self._handler.on_bad_frame()
        else:
            self._has_worked = self._has_worked or answered or bool(messages)
            if answered:
                self._answered.set()
                self.health.note_subscription()
        return len(messages) or 1

    async def _follow_demand(self, stream: Stream, answer_seconds: float) -> None:
        """Request one change after the other; Alpaca's answers do not name their request.

        ``answer_seconds`` is the limit for the first answer.

        Raises:
            UpstreamError: Alpaca does not answer.
            _IdleError: there is nothing to subscribe to, and the connection is not needed.
        """
        while True:
            await self._handler.prepare()
            change = self._handler.next_change()
            if change is None:
                if self._handler.is_idle:
                    raise _IdleError
                await self._handler.demand_changed()
                continue
            # Cleared before the request: the answer can arrive while the request is being sent.
            self._answered.clear()
            await stream.change(change)
            if not await _event_within(self._answered, answer_seconds):
                raise UpstreamError(f"no answer to {change.action} within {answer_seconds:g} s")
            answer_seconds = SUBSCRIPTION_ANSWER_SECONDS
            if self._handler.stuck:
                await asyncio.sleep(STUCK_SECONDS)

    def _wait_after(self, state: RetryCallState) -> float:
        error = _failure(state)
        self._may_hurry = error.retry is Retry.SOON and not self._handler.is_urgent
        return self._pace.wait_after(
            error,
            is_urgent=self._handler.is_urgent,
            keeps_socket=self._opening is not None and self._opening.awaits_slot,
        )

    def _report_loss(self, state: RetryCallState) -> None:
        error = _failure(state)
        self.health.reconnects += 1
        self.health.set("reconnecting", str(error), error.code)
        log.warning(
            "alpaca_disconnected",
            stream=self.name,
            error=str(error),
            next_attempt_seconds=round(state.next_action.sleep, 1) if state.next_action else 0.0,
        )

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until clients need the data."""
        end = self._monotonic() + seconds
        while (left := end - self._monotonic()) > 0:
            if self._may_hurry and self._handler.is_urgent:
                return
            await asyncio.sleep(min(left, URGENT_WAIT_SECONDS))


def _failure(state: RetryCallState) -> UpstreamError:
    """Return the error of an attempt that has failed, and that may be repeated."""
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, UpstreamError) else UpstreamError(repr(error))


async def _event_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; return whether it was set in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
