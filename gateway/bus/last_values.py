"""The newest value of each topic in Redis, read once or written back to a Redis that lost it.

A new ingest starts from the stored prices. Without them it has only REST's answer, which may be a
minute old if the latest trade does not count as a last price.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from gateway.fanout.channel import Channel
from shared import message
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.message import Message
from shared.topics import ACCOUNT, ORDERED, POSITION, kind_of

WRITTEN_AT_ONCE = 500
"""Values of one script call, which blocks Redis for all other clients meanwhile."""

_NOT_WRITTEN = {*ORDERED, POSITION, ACCOUNT}
"""The kinds that are not written back. Histories are not last values; the ingest publishes the
account and the positions again, and a position that was closed meanwhile must not reappear."""

# Several gateways may write back the same topic while an ingest publishes already: the message
# with the highest id stays, whatever the order in which they come. A message above the lease's
# number, from a time when Redis' clock was ahead, is not written, and does not stay. The key of the
# number is an argument: a gateway's user may read it, and a script's keys have to be writable.
_WRITE_BACK = """
local function id_of(message)
  local epoch, seq = string.match(message or '', '^(%d+)-(%d+)')
  return tonumber(epoch or 0), tonumber(seq or 0)
end
local newest = tonumber(redis.call('GET', ARGV[2]) or '') or 0
-- Emptied, and no ingest leads yet.
if newest == 0 then newest = math.huge end
for i = 1, #KEYS do
  local message = ARGV[i + 2]
  local epoch, seq = id_of(message)
  local stored_epoch, stored_seq = id_of(redis.call('GET', KEYS[i]))
  if stored_epoch > newest then stored_epoch = 0 end
  if epoch <= newest and (epoch > stored_epoch or epoch == stored_epoch and seq > stored_seq) then
    redis.call('SET', KEYS[i], message, 'EX', ARGV[1])
  end
end
"""

# Each gateway writes the oldest lease that it knows; the oldest of all stays.
_NOTE_SHOWN = """
local stored = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)%-0$') or '')
if not stored or tonumber(ARGV[1]) < stored then
  redis.call('SET', KEYS[1], ARGV[1] .. '-0', 'EX', ARGV[2])
end
"""

SHOWN_SECONDS = 60
"""A new leader looks within ten seconds."""


class LastValues:
    """Reads the last values of topics, and restores those that Redis has lost.

    Each method raises BusError if Redis is unreachable.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, malformed: MalformedData) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed
        self._script = client.register_script(_WRITE_BACK)
        self._note_shown = client.register_script(_NOTE_SHOWN)

    async def read(self, topics: Sequence[str]) -> list[Message | None]:
        """Return the last value of each topic; None if there is none, or it cannot be read."""
        with bus_errors():
            names = [self._keyspace.last(topic) for topic in topics]
            stored: list[Any] = await self._client.mget(names)
        return [self._unpacked(t, value) for t, value in zip(topics, stored, strict=True)]

    async def write_back(self, channels: Iterable[Channel], first_epoch: int = 0) -> None:
        """Store each channel's value that is newer than the one in Redis.

        ``first_epoch``: the oldest lease whose events clients may have been shown; it is noted for
        a leader that finds Redis empty. If Redis becomes unreachable meanwhile, some values are
        stored already.
        """
        if first_epoch:
            with bus_errors():
                await self._note_shown(
                    keys=[self._keyspace.shown], args=[first_epoch, SHOWN_SECONDS]
                )
        # A list: channels may be added to the hub while a script runs.
        kept = iter([c for c in channels if kind_of(c.topic) not in _NOT_WRITTEN])
        while batch := list(islice(kept, WRITTEN_AT_ONCE)):
            last = self._keyspace.last
            values = {last(c.topic): packed for c in batch if (packed := c.packed())}
            if values:
                life, epoch = keys.LAST_SECONDS, self._keyspace.epoch
                arguments: list[int | str | bytes] = [life, epoch, *values.values()]
                with bus_errors():
                    await self._script(keys=[*values], args=arguments)

    def _unpacked(self, topic: str, value: bytes | None) -> Message | None:
        if value is not None:
            with self._malformed.skipping(topic.encode()):
                return message.unpack(value)
        return None
