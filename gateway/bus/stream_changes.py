"""Changes of a stream's topics: any gateway accepts one, the gateway with the stream makes it.

Each gateway listens on the channel ``gateway:<id>`` for requests and for answers to its own.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import msgspec
from redis.asyncio import Redis

from gateway.wire.stream_id import StreamId
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace

ANSWER_SECONDS = 4.0
"""How long another gateway has to answer; it may wait 2 s for the values of new topics."""

MAX_IN_PROGRESS = 1_000
"""How many changes for other gateways wait, and how many are made at the same time."""

Problem = Literal["unknown_stream", "not_ready", "no_topics", "too_many_topics"]


class Change(msgspec.Struct, kw_only=True, tag="change"):
    """A request of the gateway ``asker``: topics to ``add`` with their intervals in seconds."""

    question: str
    asker: str
    stream_id: str
    principal: str
    add: dict[str, float]
    remove: list[str]


class Changed(msgspec.Struct, kw_only=True, tag="changed"):
    """The topics of the stream after a change, with their intervals, or why there was none."""

    question: str
    intervals: dict[str, float] = {}
    problem: Problem | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Change | Changed).decode


class NoAnswerError(BusError):
    """The gateway that has a stream did not answer in time."""


class StreamChanges:
    """Sends changes to other gateways, and answers theirs.

    ``make`` makes a change of a stream of this gateway.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        gateway_id: str,
        make: Callable[[Change], Awaitable[Changed]],
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._gateway_id = gateway_id
        self._make = make
        self._answers: dict[str, asyncio.Future[Changed]] = {}
        self._requests: asyncio.Queue[Change] = asyncio.Queue(MAX_IN_PROGRESS)

    async def change(
        self, stream_id: str, principal: str, add: dict[str, float], remove: list[str]
    ) -> Changed:
        """Change a stream's topics, whichever gateway has it.

        Raises:
            ValueError: no stream has such an id.
            BusError: Redis is unreachable, or the gateway with the stream does not answer.
        """
        change = Change(
            question=secrets.token_hex(8),
            asker=self._gateway_id,
            stream_id=stream_id,
            principal=principal,
            add=add,
            remove=remove,
        )
        # The id of a stream names its gateway, so no gateway has to know the others' streams.
        owner = StreamId.parse(stream_id).gateway_id
        if owner == self._gateway_id:
            return await self._make(change)
        return await self._ask(owner, change)

    async def _ask(self, owner: str, change: Change) -> Changed:
        answer: asyncio.Future[Changed] = asyncio.get_running_loop().create_future()
        self._answers[change.question] = answer
        try:
            with bus_errors():
                inbox = self._keyspace.inbox(owner)
                receivers = await self._client.publish(inbox, _encode(change))
            # A gateway listens on its channel for as long as it lives: without a receiver it is
            # gone, and so is its stream.
            if not receivers:
                return Changed(question=change.question, problem="unknown_stream")
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise NoAnswerError(
                f"the gateway serving {change.stream_id} did not respond within "
                f"{ANSWER_SECONDS:g} s"
            ) from None
        finally:
            del self._answers[change.question]

    def on_message(self, packed: bytes) -> None:
        """Accept a request of another gateway, or its answer to one of ours.

        Raises:
            ValueError: it is neither.
        """
        received = _decode(packed)
        if isinstance(received, Change):
            # A full queue drops the request. The asker gets no answer, and its client retries.
            with suppress(asyncio.QueueFull):
                self._requests.put_nowait(received)
        # The answer may come after its request has timed out, or twice.
        elif (answer := self._answers.get(received.question)) and not answer.done():
            answer.set_result(received)

    async def run(self) -> None:
        """Answer until cancelled; a request that takes long delays no other."""
        async with asyncio.TaskGroup() as tasks:
            # Each change may wait for Redis, so each has a task. The semaphore keeps a crowd of
            # them from taking the loop's time from the streams.
            in_progress = asyncio.Semaphore(MAX_IN_PROGRESS)
            while True:
                change = await self._requests.get()
                await in_progress.acquire()
                tasks.create_task(self._answer(change)).add_done_callback(
                    lambda _: in_progress.release()
                )

    async def _answer(self, change: Change) -> None:
        changed = await self._make(change)
        # An answer that is lost looks to the asker like a slow gateway: its client retries.
        with suppress(BusError), bus_errors():
            await self._client.publish(self._keyspace.inbox(change.asker), _encode(changed))
