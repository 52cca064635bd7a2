"""Changes of a stream's topics: any gateway accepts one, the gateway with the stream makes it."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from gateway.bus.inbox import Answer, Inbox, Question
from gateway.wire.stream_id import StreamId

Problem = Literal["unknown_stream", "not_ready", "no_topics", "too_many_topics"]


class Change(Question, kw_only=True, tag="change"):
    """A change of a stream: topics to ``add`` with their intervals in seconds, and to remove."""

    stream_id: str
    principal: str
    add: dict[str, float]
    remove: list[str]


class Changed(Answer, kw_only=True, tag="changed"):
    """The topics of the stream after a change, with their intervals, or why there was none."""

    intervals: dict[str, float] = msgspec.field(default_factory=dict)
    problem: Problem | None = None


class StreamChanges:
    """Changes streams; ``make`` makes a change of a stream of this gateway."""

    def __init__(self, inbox: Inbox, make: Callable[[Change], Awaitable[Changed]]) -> None:
        self._inbox = inbox
        self._make = make

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
            asker=self._inbox.gateway_id,
            stream_id=stream_id,
            principal=principal,
            add=add,
            remove=remove,
        )
        # The id of a stream names its gateway, so no gateway has to know the others' streams.
        owner = StreamId.parse(stream_id).gateway_id
        if owner == self._inbox.gateway_id:
            return await self._make(change)
        changed: Changed | None = await self._inbox.ask(owner, change)
        # The gateway is gone, and so is its stream.
        return changed or Changed(question=change.question, problem="unknown_stream")
