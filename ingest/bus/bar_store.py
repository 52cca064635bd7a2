"""The stored bars as a whole: read by a new leader, and filled with REST's.

The publisher stores each bar that it publishes. A fill stores bars that are no events.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from ingest.bus.lease import Lease, LeaseLostError
from ingest.bus.publisher import FENCED, PUBLISH_RETRY_SECONDS
from shared import bar, message, rfc3339
from shared.bar import RUNNING, Bar
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.bus.whole_bars import WholeBars
from shared.event_id import EventId
from shared.topics import kind_of

WRITTEN_AT_ONCE = 400
"""Bars of one script call, which blocks Redis for all other clients meanwhile: about 2 ms."""

TOPICS_READ_AT_ONCE = 20

FILL = "the filling of the bars"

# ARGV: epoch, the id of the fill, life in s, prefix of keys, the topics whose bars from before a
# time are removed (a line with topic and unix s for each), the bars (for each a line with topic,
# start and bound, and a line of JSON), and the topics that are whole then, each followed by its
# field. A version that was published after the fill's id stays: REST was asked before.
_FILL = """
local epoch, id, life, prefix, removed, bars = unpack(ARGV, 1, 6)
local newest = redis.call('GET', KEYS[1])
if newest and tonumber(newest) > tonumber(epoch) then return -1 end
local find, sub, match, gmatch = string.find, string.sub, string.match, string.gmatch
local id_epoch, id_seq = match(id, '^(%d+)-(%d+)$')
id_epoch, id_seq = tonumber(id_epoch), tonumber(id_seq)
local function is_newer(member)
  local of_epoch, seq = match(member, '^(%d+)-(%d+)')
  of_epoch, seq = tonumber(of_epoch or 0), tonumber(seq or 0)
  return of_epoch > id_epoch or of_epoch == id_epoch and seq > id_seq
end
for topic, before in gmatch(removed, '(%S+) (%d+)\\n') do
  local set = prefix .. '{' .. topic .. '}:bars'
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', '(' .. before)) do
    if not is_newer(member) then redis.call('ZREM', set, member) end
  end
end
local bounds, had, at = {}, {}, 1
while at <= #bars do
  local where_ends = find(bars, '\\n', at, true)
  local json_ends = find(bars, '\\n', where_ends + 1, true)
  local topic, start, bound = match(sub(bars, at, where_ends - 1), '^(%S+) (%d+) (%d+)$')
  local set = prefix .. '{' .. topic .. '}:bars'
  if not bounds[set] then
    bounds[set] = bound
    had[set] = redis.call('ZCARD', set) > 0
  end
  local stays = false
  if had[set] then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, start, start)) do
      if is_newer(member) then stays = true else redis.call('ZREM', set, member) end
    end
  end
  if not stays then
    local json = '{"event_id":"' .. id .. '",' .. sub(bars, where_ends + 2, json_ends - 1)
    redis.call('ZADD', set, start, id .. '\\n' .. json)
  end
  at = json_ends + 1
end
for set, bound in pairs(bounds) do
  redis.call('ZREMRANGEBYRANK', set, 0, -bound - 1)
  redis.call('EXPIRE', set, life)
end
for i = 7, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 0
"""


_decode = msgspec.json.Decoder(Bar).decode


class StoredBar(NamedTuple):
    """The newest version of a bar in Redis. ``running``: its span had not ended."""

    event_id: EventId
    bar: Bar
    running: bool


class BarStore:
    """Reads and fills the bars of topics. ``bounds``: how many are stored of a topic, by kind."""

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        lease: Lease,
        rejections: Rejections,
        malformed: MalformedStored,
        bounds: Mapping[str, int],
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._lease = lease
        self._rejections = rejections
        self._malformed = malformed
        self._bounds = bounds
        self._fill = client.register_script(_FILL)
        self._beginning = asyncio.Lock()
        self._has_begun = False

    async def read(
        self, topics: Sequence[str], newest: int | None = None
    ) -> dict[str, list[StoredBar]]:
        """Return the stored bars of each topic, oldest first; only so many of the newest if given.

        Raises:
            BusError: Redis is unreachable or rejects a command.
        """
        found: dict[str, list[StoredBar]] = {}
        for begin in range(0, len(topics), TOPICS_READ_AT_ONCE):
            some = topics[begin : begin + TOPICS_READ_AT_ONCE]
            batch = self._client.pipeline(transaction=False)
            for topic in some:
                batch.zrange(self._keyspace.bars(topic), 0 if newest is None else -newest, -1)
            with self._rejections.watch("the reading of the bars"), bus_errors():
                answers: list[Any] = await batch.execute(raise_on_error=False)
            for topic, members in zip(some, answers, strict=True):
                found[topic] = self._bars(topic, members)
        return found

    async def fill(
        self,
        bars: Mapping[str, Sequence[Bar]],
        as_of: EventId,
        *,
        whole_since: Mapping[str, int],
        removed_before: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Store ended bars by topic; a version that was published after ``as_of`` stays.

        ``as_of``: an id of the publisher's (``next_id``), from before the source of the bars was
        asked. ``whole_since``: topics whose stored bars are whole then and will be kept so, each
        with the start (unix s) from which on they are. ``removed_before``: topics of which all
        other bars that start before a time (unix s) are removed, as their prices have another
        scale.

        Raises:
            BusError: Redis is unreachable or rejects the script; a part may be stored already.
            LeaseLostError: another ingest has started to lead.
        """
        lines = self._lines(bars)
        noted = [
            text
            for topic, since in whole_since.items()
            for text in (topic, WholeBars(since, self._bounds[kind_of(topic)]).pack())
        ]
        # Only the first part removes others; only the last part makes a topic whole.
        removed = "".join(f"{topic} {before}\n" for topic, before in removed_before.items())
        chunk = list(islice(lines, WRITTEN_AT_ONCE))
        while True:
            following = list(islice(lines, WRITTEN_AT_ONCE))
            await self._write(as_of, removed, b"".join(chunk), [] if following else noted)
            if not following:
                return
            chunk, removed = following, ""

    async def lacking(self, topics: Sequence[str]) -> Set[str]:
        """Return those of the topics whose bars are not kept whole: none were filled, or all lost.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        if not topics:
            return frozenset()
        with self._rejections.watch(FILL), bus_errors():
            noted: list[Any] = await self._client.hmget(self._keyspace.whole_bars, list(topics))
        return {topic for topic, field in zip(topics, noted, strict=True) if field is None}

    async def forget(self, topics: Sequence[str]) -> None:
        """Note that the bars of topics are no longer kept whole.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        if topics:
            with self._rejections.watch(FILL), bus_errors():
                await self._client.hdel(self._keyspace.whole_bars, *topics)

    async def begin(self) -> None:
        """Note that no bars are kept whole yet: a new leader does not know what it lacks.

        The charts of each market wait for it; it is done once.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        async with self._beginning:
            if not self._has_begun:
                with self._rejections.watch(FILL), bus_errors():
                    await self._client.delete(self._keyspace.whole_bars)
                self._has_begun = True

    async def _write(
        self, as_of: EventId, removed: str, lines: bytes, noted: Sequence[str]
    ) -> None:
        while True:
            epoch = await self._lease.valid()
            with self._rejections.watch(FILL), bus_errors():
                answer: int = await self._fill(
                    keys=[self._keyspace.epoch, self._keyspace.whole_bars],
                    args=[
                        epoch,
                        str(as_of),
                        keys.HISTORY_SECONDS,
                        self._keyspace.key_prefix,
                        removed,
                        lines,
                        *noted,
                    ],
                )
            if answer != FENCED:
                return
            # The newer epoch may be our own: its claim has run and the answer is on its way.
            await asyncio.sleep(PUBLISH_RETRY_SECONDS)
            if self._lease.epoch == epoch:
                raise LeaseLostError("another ingest has started to lead")

    def _lines(self, bars: Mapping[str, Sequence[Bar]]) -> Iterator[bytes]:
        """Yield each bar as the script reads it."""
        for topic, some in bars.items():
            bound = self._bounds[kind_of(topic)]
            for each in some[-bound:]:
                start = rfc3339.start_to_nanoseconds(each.timestamp) // 1_000_000_000
                where = f"{topic} {start} {bound}\n".encode()
                yield where + bar.encode(each) + b"\n"

    def _bars(self, topic: str, members: Any) -> list[StoredBar]:
        found: list[StoredBar] = []
        where = self._keyspace.bars(topic)
        if isinstance(members, Exception):  # a key of another type
            self._malformed.note(where, members)
            return found
        for member in members:
            with self._malformed.skipping(where):
                event_id, body, name = message.unpack(member)
                stored = _decode(body)
                # Later calculations rely on its form.
                rfc3339.start_to_nanoseconds(stored.timestamp)
                found.append(StoredBar(event_id, stored, running=name == RUNNING))
        return found
