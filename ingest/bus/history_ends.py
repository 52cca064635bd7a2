"""The newest event of each history that nears its expiry, noted before it expires.

A history expires a week after its newest event. If it were only absent, a gateway could not tell
whether it has expired or was deleted, and a client that has all its events would get a ``gap``.
"""

import asyncio
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.beginning import Beginning
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import EventId

LOOK_SECONDS = 3600.0

IDLE_SECONDS = 24 * 3600
"""A history without an event for this long has its newest one noted."""

READ_AT_ONCE = 200


# The publish script may have started a history again since the field was read.
_REPLACE = """
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
"""


class HistoryEnds:
    """Looks at all histories once an hour."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace
        self._replace = client.register_script(_REPLACE)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(BusError):  # the next look notes them too
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note the newest event of idle histories, and forget it where a newer one has come.

        Raises:
            BusError: Redis is unreachable or rejects a command.
        """
        with bus_errors():
            fields = self._client.hscan_iter(self._keyspace.histories, count=READ_AT_ONCE)
            noted = [(topic, field) async for topic, field in fields if not topic.startswith(b".")]
            for begin in range(0, len(noted), READ_AT_ONCE):
                await self._look_at(noted[begin : begin + READ_AT_ONCE])

    async def _look_at(self, noted: Any) -> None:
        batch = self._client.pipeline(transaction=False)
        for topic, _ in noted:
            history = self._keyspace.history(topic.decode(errors="replace"))
            batch.ttl(history)
            batch.xrevrange(history, count=1)
        answers = await batch.execute(raise_on_error=False)
        changed: list[bytes] = []
        for index, (topic, field) in enumerate(noted):
            life, entries = answers[2 * index : 2 * index + 2]
            # A key of another type, or a field that another program wrote, is left as it is.
            with suppress(ValueError, TypeError, IndexError):
                newest = EventId.parse(entries[0][0])
                is_idle = 0 < life < keys.HISTORY_SECONDS - IDLE_SECONDS
                fresh = Beginning.parse(field)._replace(last=newest if is_idle else None)
                if (packed := fresh.pack().encode()) != field:
                    changed += (topic, field, packed)
        if changed:
            await self._replace(keys=[self._keyspace.histories], args=changed)
