"""The newest stored bars of topics, with which a newcomer starts."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from gateway.fanout.bar_channel import BarChannel
from gateway.fanout.own_ids import OwnIds
from shared import message
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.message import Message

_COUNT = 3
"""The newest ended bar, and up to two running ones after it."""

_READ_AT_ONCE = 500


class NewestBars:
    """Reads the last bars of topics.

    ``own_ids`` are the ids that the lease has given: a bar that has another one is left out.
    """

    def __init__(
        self, client: Redis, own_ids: OwnIds, keyspace: Keyspace, malformed: MalformedData
    ) -> None:
        self._client = client
        self._own_ids = own_ids
        self._keyspace = keyspace
        self._malformed = malformed

    async def read(self, channels: Sequence[BarChannel]) -> dict[BarChannel, list[Message]]:
        """Return the last stored bars of each channel, oldest first.

        Raises:
            BusError: Redis is unreachable.
        """
        found: dict[BarChannel, list[Message]] = {}
        for begin in range(0, len(channels), _READ_AT_ONCE):
            some = channels[begin : begin + _READ_AT_ONCE]
            batch = self._client.pipeline(transaction=False)
            for channel in some:
                batch.zrange(self._keyspace.bars(channel.topic), -_COUNT, -1)
            with bus_errors():
                # A key of another type must not keep the gateway from all the others.
                answers: list[Any] = await batch.execute(raise_on_error=False)
            for channel, members in zip(some, answers, strict=True):
                found[channel] = self._messages(channel.topic, members)
        return found

    def _messages(self, topic: str, members: Any) -> list[Message]:
        found: list[Message] = []
        where = topic.encode()
        if isinstance(members, Exception):
            self._malformed.note(where, members)
            return found
        for member in members:
            with self._malformed.skipping(where):
                stored = message.unpack(member)
                if self._own_ids.accepts(stored.event_id, stored=True):
                    found.append(stored)
        return found

    def restore(self, stored: Mapping[BarChannel, Sequence[Message]]) -> None:
        """Give channels their stored bars; one that cannot be read is left out."""
        for channel, bars in stored.items():
            for each in bars:
                with self._malformed.skipping(channel.topic.encode()):
                    channel.restore(each)
