"""The newest event of each history that nears its expiry, noted before it expires.

A history expires a week after its newest event. If it were only absent, a gateway could not tell
whether it has expired or was deleted, and a client that has all its events would get a ``gap``.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections

LOOK_SECONDS = 3600.0

IDLE_SECONDS = 24 * 3600
"""A history without an event for this long has its newest one noted."""

READ_AT_ONCE = 200

# Reads and notes in one step: an event that came between the two would be missing in the note, and
# if somebody then deleted the history, nobody would miss it. The publish script removes the note
# with the next event.
#
# An entry that is newer than the newest published event is another program's. Noted, its id would
# be taken for the end of the history, and everything before it for lost.
#
# KEYS: the notes, the newest published id, the histories. ARGV: the longest remaining life in s of
# an idle history, the topics.
_NOTE = """
local function numbers(id)
  local epoch, seq = string.match(id or '', '^(%d+)-(%d+)$')
  return tonumber(epoch or 0), tonumber(seq or 0)
end
local epoch, seq = numbers(redis.call('MGET', KEYS[2])[1])
for place = 3, #KEYS do
  local topic = ARGV[place - 1]
  local note = redis.call('HGET', KEYS[1], topic)
  local beginning = string.match(note or '', '^%d+%-%d+ %d+%-%d+')
  local life = redis.call('TTL', KEYS[place])
  local entries = redis.pcall('XREVRANGE', KEYS[place], '+', '-', 'COUNT', 1)
  local newest = entries[1] and entries[1][1]
  local newest_epoch, newest_seq = numbers(newest)
  local is_ours = newest_epoch < epoch or newest_epoch == epoch and newest_seq <= seq
  if beginning and newest and is_ours then
    local is_idle = life > 0 and life < tonumber(ARGV[1])
    local fresh = is_idle and beginning .. ' ' .. newest or beginning
    if fresh ~= note then redis.call('HSET', KEYS[1], topic, fresh) end
  end
end
"""


class HistoryEnds:
    """Looks at all histories once an hour."""

    def __init__(self, client: Redis, keyspace: Keyspace, rejections: Rejections) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rejections = rejections
        self._note = client.register_script(_NOTE)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(BusError):  # the next look notes them too
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note the newest event of idle histories.

        Raises:
            BusError: Redis is unreachable or rejects a command.
        """
        histories = self._keyspace.histories
        with self._rejections.watch("the look at the histories"), bus_errors():
            noted = self._client.hscan_iter(histories, count=READ_AT_ONCE)
            topics = [topic async for topic, _ in noted if not topic.startswith(b".")]
            for begin in range(0, len(topics), READ_AT_ONCE):
                await self._look_at(topics[begin : begin + READ_AT_ONCE])

    async def _look_at(self, topics: Sequence[bytes]) -> None:
        names = self._keyspace
        histories = [names.history(topic.decode(errors="replace")) for topic in topics]
        await self._note(
            keys=[names.histories, names.published, *histories],
            args=[keys.HISTORY_SECONDS - IDLE_SECONDS, *topics],
        )
