"""The newest bars of symbols, from their histories in Redis."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.redis_source import COMMAND_TIMEOUT_SECONDS

_SPARE = 10
"""How many entries more than bars are read at once: some are revisions of a bar, some no bars."""


class _Start(msgspec.Struct):
    timestamp: str


_decode = msgspec.json.Decoder(_Start).decode


async def newest_bars(
    client: Redis, topics: Sequence[str], limit: int
) -> dict[str, list[msgspec.Raw]]:
    """Return up to so many bars of each topic as JSON, oldest first, each in its newest revision.

    Raises:
        REDIS_ERRORS: they cannot be read.
    """
    found: dict[str, dict[str, msgspec.Raw]] = {topic: {} for topic in topics}
    ends = dict.fromkeys(topics, "+")
    async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
        while ends:
            batch = client.pipeline(transaction=False)
            for topic, end in ends.items():
                batch.xrevrange(keys.history_key(topic), max=end, count=limit + _SPARE)
            pages: list[Any] = await batch.execute()
            for topic, page in zip(list(ends), pages, strict=True):
                _take(page, found[topic])
                # One more than wanted: a revision of the bar before may be newer than a bar.
                if len(page) < limit + _SPARE or len(found[topic]) > limit:
                    del ends[topic]
                else:
                    ends[topic] = f"({page[-1][0].decode()}"
    return {
        topic: [bars[start] for start in sorted(bars)[-limit:]] for topic, bars in found.items()
    }


def _take(entries: Sequence[Any], bars: dict[str, msgspec.Raw]) -> None:
    """Add the bars among entries, newest entry first, each by its start."""
    for _, fields in entries:
        with suppress(KeyError, msgspec.DecodeError):  # not of ours
            if b"event" not in fields:
                body = fields[b"data"]
                bars.setdefault(_decode(body).timestamp, msgspec.Raw(body))
