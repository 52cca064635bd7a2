"""Holding the connection: connect, stay in step with the demand, and come back with patience."""

import asyncio
import random
import time
from collections.abc import Callable

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random,
    wait_random_exponential,
)

from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.upstream.alpaca_stream import AlpacaStream, BadFrameError
from ingest.upstream.feed_error import HTTP_TOO_MANY_REQUESTS, FeedError, Retry
from ingest.upstream.frame import FrameReader
from shared.ingest_status import FeedState

log = structlog.get_logger()

ANSWER_SECONDS = 5.0
"""Limit for Alpaca's answer to a change of the subscription."""

STABLE_SECONDS = 10.0
"""A connection that lived as long was a good one: the next failure counts as the first."""

DEMAND_SECONDS = 1.0

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


class FeedHealth:
    """The connection's state as others see it; ``on_change`` hears every change."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.state: FeedState = "connecting"
        self.reason: str | None = None
        self.since = clock()
        self.reconnects = 0
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock

    def set(self, state: FeedState, reason: str | None = None) -> None:
        """Note a new state."""
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason, self.since = state, reason, self._clock()
            self.on_change()


class Feed:
    """One feed's connection for as long as this process leads."""

    def __init__(
        self,
        connect: Callable[[], AlpacaStream],
        demand: Demand,
        subscription: Subscription,
        reader: FrameReader,
        health: FeedHealth,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._connect = connect
        self._demand = demand
        self._subscription = subscription
        self._reader = reader
        self._health = health
        self._monotonic = monotonic
        self._jitter = jitter
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Hold the connection until cancelled.

        Raises:
            FeedError: one that waiting does not mend; ``health`` says ``failed``.
        """
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
            self._health.set("failed", str(error))
            raise
        except asyncio.CancelledError:
            self._health.set("connecting", "this ingest has stopped")
            raise

    async def _connection(self) -> None:
        """Live through one connection; return if it was stable before it was lost."""
        stream = self._connect()
        await stream.open()
        connected = self._monotonic()
        log.info("alpaca connected")
        self._subscription.begin()
        self._health.set("live")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stream))
                tasks.create_task(self._keep_in_step(stream))
        except* FeedError as group:
            lost = group.exceptions[0]
            assert isinstance(lost, FeedError)  # noqa: S101 - except* has matched it
            if lost.retry is not Retry.NEVER:
                self._health.set("reconnecting", str(lost))  # now: the closing may take 3 s
            if lost.retry is not Retry.SOON or self._monotonic() - connected < STABLE_SECONDS:
                raise lost from None
            self._lost(lost)
        finally:
            self._subscription.begin()
            await stream.shut()

    async def _read(self, stream: AlpacaStream) -> None:
        while True:
            try:
                messages = await stream.frame()
            except BadFrameError as error:
                self._reader.malformed += 1
                log.warning("bad frame", error=str(error))
                continue
            if self._reader.apply(messages, time.time_ns() // 1000):
                self._answered.set()
                self._health.on_change()
            await asyncio.sleep(0)  # frames that wait already do not suspend: let others run

    async def _keep_in_step(self, stream: AlpacaStream) -> None:
        while True:
            change = self._subscription.next_change(self._demand.wanted())
            if change is None:
                await self._demand.wait_for_change(DEMAND_SECONDS)
                continue
            self._answered.clear()
            await stream.change(change.action, change.symbols)
            if not await _event_within(self._answered, ANSWER_SECONDS):
                raise FeedError(f"no answer to {change.action} within {ANSWER_SECONDS:g} s")
            if self._subscription.stuck:
                await asyncio.sleep(DEMAND_SECONDS)

    def _before_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        self._lost(error, round(wait, 1))

    def _lost(self, error: BaseException | None, wait_seconds: float = 0.0) -> None:
        self._health.reconnects += 1
        self._health.set("reconnecting", str(error))
        log.warning("alpaca lost", error=str(error), next_attempt_seconds=wait_seconds)


async def _event_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
