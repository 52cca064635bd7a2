"""Changes of a stream's topics, asked of any gateway and made by the one that has the stream.

A gateway listens on the channel ``gateway:<id>``, for questions and for answers to its own.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import msgspec
from redis.asyncio import Redis

from gateway.wire.stream_id import StreamId
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS

ANSWER_SECONDS = 4.0
"""How long another gateway has for its answer; it may wait 2 s for the values of new topics."""

MAX_UNDER_WAY = 1_000

Problem = Literal["unknown_stream", "not_ready", "no_topics", "too_many_topics"]


class Change(msgspec.Struct, kw_only=True, tag="change"):
    """What a gateway asks for somebody: topics to ``add`` with their intervals in seconds."""

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


class StreamChanges:
    """Asks other gateways, and answers them. ``make`` makes a change of a stream that is here."""

    def __init__(
        self, client: Redis, gateway_id: str, make: Callable[[Change], Awaitable[Changed]]
    ) -> None:
        self._client = client
        self._gateway_id = gateway_id
        self._make = make
        self._asked: dict[str, asyncio.Future[Changed]] = {}
        self._heard: asyncio.Queue[Change] = asyncio.Queue(MAX_UNDER_WAY)

    async def change(
        self, stream_id: str, principal: str, add: dict[str, float], remove: list[str]
    ) -> Changed:
        """Have a stream's topics changed, wherever it is.

        Raises:
            ValueError: no stream has such an id.
            RedisError, OSError: Redis is away, or the other gateway does not answer.
        """
        change = Change(
            question=secrets.token_hex(8),
            asker=self._gateway_id,
            stream_id=stream_id,
            principal=principal,
            add=add,
            remove=remove,
        )
        owner = StreamId.parse(stream_id).gateway_id
        if owner == self._gateway_id:
            return await self._make(change)
        answer: asyncio.Future[Changed] = asyncio.get_running_loop().create_future()
        self._asked[change.question] = answer
        try:
            if not await self._client.publish(keys.gateway_key(owner), _encode(change)):
                return Changed(question=change.question, problem="unknown_stream")
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        finally:
            del self._asked[change.question]

    def hear(self, packed: bytes) -> None:
        """Take what another gateway asks or answers.

        Raises:
            ValueError: it is neither.
        """
        heard = _decode(packed)
        if isinstance(heard, Change):
            with suppress(asyncio.QueueFull):  # the asker hears nothing, and tries again
                self._heard.put_nowait(heard)
        elif (answer := self._asked.get(heard.question)) and not answer.done():
            answer.set_result(heard)

    async def run(self) -> None:
        """Answer until cancelled; one question that takes long holds no other up."""
        async with asyncio.TaskGroup() as tasks:
            under_way = asyncio.Semaphore(MAX_UNDER_WAY)
            while True:
                change = await self._heard.get()
                await under_way.acquire()
                tasks.create_task(self._answer(change)).add_done_callback(
                    lambda _: under_way.release()
                )

    async def _answer(self, change: Change) -> None:
        changed = await self._make(change)
        with suppress(*REDIS_ERRORS):  # the asker hears nothing, and tries again
            await self._client.publish(keys.gateway_key(change.asker), _encode(changed))
