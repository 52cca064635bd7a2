"""Questions to other gateways, and their answers; each gateway has a channel for both."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Union

import msgspec
from redis.asyncio import Redis

from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections

ANSWER_SECONDS = 4.0
"""How long another gateway has to answer; it may wait 2 s for the values of new topics."""

LISTENER_SECONDS = 3.0
"""How long a gateway may take to listen again: it connects to Redis within half a second, unless
Redis' name has to be resolved, or the server was replaced."""

LISTENER_POLL_SECONDS = 0.2

MAX_IN_PROGRESS = 1_000
"""How many questions of other gateways wait, and how many are worked on at the same time."""


class Question(msgspec.Struct, kw_only=True):
    """A question of the gateway ``asker``; ``question`` is its random name."""

    question: str
    asker: str


class Answer(msgspec.Struct, kw_only=True):
    """The answer to a question."""

    question: str


Handlers = Mapping[type[Question], Callable[[Any], Awaitable[Answer]]]

_encode = msgspec.json.Encoder().encode


class NoAnswerError(BusError):
    """Another gateway did not answer in time."""


class Inbox:
    """Asks other gateways, and answers them by ``handlers``; ``answers`` are the answers' forms.

    ``has_ended`` returns whether a gateway is known to have ended.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        gateway_id: str,
        handlers: Handlers,
        answers: tuple[type[Answer], ...],
        *,
        rejections: Rejections,
        has_ended: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.gateway_id = gateway_id
        self._client = client
        self._keyspace = keyspace
        self._handlers = handlers
        self._rejections = rejections
        self._has_ended = has_ended
        forms: Any = Union[(*handlers, *answers)]
        self._decode = msgspec.json.Decoder(forms).decode
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._questions: asyncio.Queue[Question] = asyncio.Queue(MAX_IN_PROGRESS)

    async def ask(self, gateway_id: str, question: Question) -> Any:
        """Return the answer of another gateway; None if it has ended.

        Raises:
            BusError: Redis is unreachable, or the gateway does not answer.
        """
        with self.awaiting(question.question) as answer:
            if not await self._send(gateway_id, question):
                return None
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await answer
            except TimeoutError:
                raise NoAnswerError(
                    f"the gateway {gateway_id} did not respond within {ANSWER_SECONDS:g} s"
                ) from None

    @contextmanager
    def awaiting(self, question: str) -> Iterator[asyncio.Future[Any]]:
        """Yield the answer to a question that is asked in another way than by ``ask``."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[question] = answer
        try:
            yield answer
        finally:
            del self._asked[question]

    async def _send(self, gateway_id: str, message: Question | Answer) -> bool:
        """Send a message to a gateway as soon as it listens; return False if it has ended.

        A gateway listens for as long as it lives, except while it connects to Redis again.
        """
        inbox, packed = self._keyspace.inbox(gateway_id), _encode(message)
        try:
            async with asyncio.timeout(LISTENER_SECONDS):
                while True:
                    with bus_errors():
                        listeners = await self._client.publish(inbox, packed)
                    if listeners:
                        return True
                    if await self._has_ended(gateway_id):
                        return False
                    await asyncio.sleep(LISTENER_POLL_SECONDS)
        except TimeoutError:
            raise NoAnswerError(
                f"the gateway {gateway_id} has not been connected to Redis for "
                f"{LISTENER_SECONDS:g} s"
            ) from None

    def on_message(self, packed: bytes) -> None:
        """Accept a question of another gateway, or its answer to one of ours.

        Raises:
            ValueError: it is neither.
        """
        received = self._decode(packed)
        if isinstance(received, Question):
            # A full queue drops the question. The asker gets no answer, and its client retries.
            with suppress(asyncio.QueueFull):
                self._questions.put_nowait(received)
        # The answer may come after its question has timed out, or twice.
        elif (answer := self._asked.get(received.question)) and not answer.done():
            answer.set_result(received)

    async def run(self) -> None:
        """Answer until cancelled; a question that takes long delays no other."""
        async with asyncio.TaskGroup() as tasks:
            # Each may wait for Redis, so each has a task. The semaphore keeps a crowd of them from
            # taking the loop's time from the streams.
            in_progress = asyncio.Semaphore(MAX_IN_PROGRESS)
            while True:
                question = await self._questions.get()
                await in_progress.acquire()
                tasks.create_task(self._answer(question)).add_done_callback(
                    lambda _: in_progress.release()
                )

    async def _answer(self, question: Question) -> None:
        answer = await self._handlers[type(question)](question)
        # An answer that is lost looks to the asker like a slow gateway: its client retries.
        watching = self._rejections.watch("this gateway's answers to others")
        with suppress(BusError), watching:
            await self._send(question.asker, answer)
