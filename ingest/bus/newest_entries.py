"""The newest entries of a history in Redis that this deployment's ingests have published."""

from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import EventId


async def newest_entries(client: Redis, keyspace: Keyspace, topic: str, count: int) -> list[Any]:
    """Return at most ``count`` entries of a topic's history, the newest first.

    An entry that is newer than the newest published event is another program's, and left out.

    Raises:
        BusError: Redis is unreachable or rejects a command: ``WRONGTYPE`` if the key is no history.
    """
    batch: Any = client.pipeline(transaction=False)
    batch.xrevrange(keyspace.history(topic), count=count)
    # Read second: an event that is published between the two is not in the entries.
    batch.mget([keyspace.published])
    with bus_errors():
        entries, [published] = await batch.execute()
    with suppress(ValueError):  # there is none, or another program wrote it
        newest = EventId.parse(published or b"")
        return [entry for entry in entries if not _is_newer(entry[0], newest)]
    return list(entries)


def _is_newer(entry_id: bytes, newest: EventId) -> bool:
    try:
        return EventId.parse(entry_id) > newest
    except ValueError:  # an id that is longer than those of events
        return True
