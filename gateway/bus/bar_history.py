"""The newest bars of symbols, from their histories in Redis."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.bus.malformed import MalformedData
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace

_SPARE = 10
"""How many more entries than bars a page has: some entries revise a bar, some are not bars."""


class _Start(msgspec.Struct):
    timestamp: str


_decode = msgspec.json.Decoder(_Start).decode


class BarHistory:
    """Reads the bars that are stored."""

    def __init__(self, client: Redis, keyspace: Keyspace, malformed: MalformedData) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed

    async def newest(self, topics: Sequence[str], limit: int) -> dict[str, list[msgspec.Raw]]:
        """Return up to ``limit`` bars of each topic, oldest first, each in its newest revision.

        A bar is the JSON of its event.

        Raises:
            BusError: Redis is unreachable.
        """
        found: dict[str, dict[str, msgspec.Raw]] = {topic: {} for topic in topics}
        ends = dict.fromkeys(topics, "+")
        while ends:
            pages = await self._pages(ends, limit + _SPARE)
            for topic, page in pages.items():
                self._add_bars(topic, page, found[topic])
                # One bar more than the limit must be seen: an entry further back may
                # be a newer revision of the oldest bar found so far.
                if len(page) < limit + _SPARE or len(found[topic]) > limit:
                    del ends[topic]
                else:
                    ends[topic] = f"({page[-1][0].decode()}"
        return {
            topic: [bars[start] for start in sorted(bars)[-limit:]] for topic, bars in found.items()
        }

    async def _pages(self, ends: Mapping[str, str], count: int) -> dict[str, Any]:
        """Read up to ``count`` entries of each history, newest first, back from its end."""
        batch = self._client.pipeline(transaction=False)
        for topic, end in ends.items():
            batch.xrevrange(self._keyspace.history(topic), max=end, count=count)
        with bus_errors():
            answers: list[Any] = await batch.execute(raise_on_error=False)
        pages: dict[str, Any] = dict.fromkeys(ends, ())
        for topic, answer in zip(ends, answers, strict=True):
            # A key of another type: it hides its own bars only, until the ingest puts it aside.
            with self._malformed.skipping(topic.encode()), bus_errors():
                if isinstance(answer, RedisError):
                    raise answer
                pages[topic] = answer
        return pages

    def _add_bars(self, topic: str, entries: Sequence[Any], bars: dict[str, msgspec.Raw]) -> None:
        """Add the bars among entries by their start.

        Entries come newest first, so the first of a bar stays.
        """
        for _, fields in entries:
            # Another program wrote the entry, or another version did.
            with self._malformed.skipping(topic.encode()):
                # An event with its own name, such as ``gap``, is not a bar.
                if b"event" not in fields:
                    body = fields[b"data"]
                    bars.setdefault(_decode(body).timestamp, msgspec.Raw(body))
