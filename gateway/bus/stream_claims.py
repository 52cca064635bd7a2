"""The limits on open streams that hold over all gateways, such as those of one principal.

Each gateway counts its own streams in a hash in Redis that it renews. A gateway that dies stops
renewing, and its streams stop being counted.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain, islice
from typing import NamedTuple

import structlog
from redis.asyncio import Redis

from gateway.bus.claim_times import CLAIM_RETRY_SECONDS, RELEASE_SECONDS, RENEW_SECONDS
from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.waiting import wait_at_most

log = structlog.get_logger()

SENT_AT_ONCE = 200
"""Counts or claims of one script call, which blocks Redis for about two milliseconds."""

_HASH_GONE = [-1]
_OVERTAKEN = -2

# KEYS: the set of all gateways' hashes, this gateway's hash.
# ARGV: "rewrite" if the hash is to be written from scratch, else ""; its life in ms; the number of
# the call; the number of limits, and each limit; the number of counts, and each as field and
# number; then the claims, each as the fields under which the limits count it, in their order.
# Returns for each claim 0, or the place (from 1) of the limit that is reached; {-1} if the hash is
# gone, and {-2, the number of the last call} if that is not lower; nothing was counted then.
#
# A call that had no answer in time may reach Redis after the calls that replaced it, on another
# connection. It must change nothing: no later call would correct its counts.
#
# Another program may have written something else than a number anywhere.
_CLAIM = """
local own, call, limits, at = KEYS[2], ARGV[3], tonumber(ARGV[4]), 5 + ARGV[4]
local function number(text)
  local found = tonumber(type(text) == 'string' and string.match(text, '^%d+$') or '') or 0
  return found < 1e15 and found or 0
end
local last = number(redis.call('HGET', own, 'call'))
if last >= tonumber(call) then return {-2, last} end
if ARGV[1] == 'rewrite' then redis.call('DEL', own)
elseif redis.call('EXISTS', own) == 0 then return {-1} end
redis.call('HSET', own, 'call', call)
redis.call('SADD', KEYS[1], own)
redis.call('PEXPIRE', own, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local claims = at + 1 + 2 * ARGV[at]
for i = at + 1, claims - 1, 2 do
  if ARGV[i + 1] == '0' then redis.call('HDEL', own, ARGV[i])
  else redis.call('HSET', own, ARGV[i], ARGV[i + 1]) end
end

local gateways = {}
for _, gateway in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', gateway) == 1 then gateways[#gateways + 1] = gateway
  else redis.call('SREM', KEYS[1], gateway) end
end
local open = {}
local function count(field)
  if not open[field] then
    open[field] = 0
    for _, gateway in ipairs(gateways) do
      open[field] = open[field] + number(redis.pcall('HGET', gateway, field))
    end
  end
  return open[field]
end

local answers = {}
for claim = claims, #ARGV, limits do
  local over = 0
  for i = 0, limits - 1 do
    local field = ARGV[claim + i]
    if over == 0 and field ~= '' and count(field) >= tonumber(ARGV[5 + i]) then over = i + 1 end
  end
  for i = 0, limits - 1 do
    local field = ARGV[claim + i]
    if over == 0 and field ~= '' then
      open[field] = open[field] + 1
      redis.call('HINCRBY', own, field, 1)
    end
  end
  answers[#answers + 1] = over
end
return answers
"""

_LOST = "Redis has lost its data; sending the counts of all streams again"
_CHANGED = "another program has changed this gateway's counts of streams; sending all of them again"


class _Claim(NamedTuple):
    """A stream that waits to be counted. ``answer`` gets the limit that is reached, or None."""

    fields: tuple[str, ...]
    answer: "asyncio.Future[str | None]"


class StreamClaims:
    """Counts each stream under every limit; ``limits`` maps the name of a limit to its number.

    Claims of the same moment share one script call, and so do those that arrive during a call. If
    there are no limits, Redis is not called. While Redis is unreachable, or rejects the call,
    every stream is admitted, and it is counted afterwards.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        gateway_id: str,
        limits: Mapping[str, int],
        rejections: Rejections,
    ) -> None:
        self._client = client
        self._script = client.register_script(_CLAIM)
        self._all = keyspace.streams
        self._key = keyspace.streams_of(gateway_id)
        self._limits = dict(limits)
        self._rejections = rejections
        self._claimed: Counter[str] = Counter()
        self._unsent: dict[str, None] = {}
        """The fields whose count has changed since it was sent; a dict, for its order."""
        self._waiting: list[_Claim] = []
        self._rewriting = True
        self._calls = 0
        self._changed = asyncio.Event()

    async def claim(self, counted_as: Mapping[str, str]) -> str | None:
        """Count a stream; return the name of the limit that it exceeds, or None.

        ``counted_as`` gives for each limit whose streams it counts: ``{"principal": "ann"}``. A
        limit that is not there does not apply.
        """
        if not self._limits:
            return None
        claim = _Claim(self._fields(counted_as), asyncio.get_running_loop().create_future())
        self._waiting.append(claim)
        self._changed.set()
        try:
            return await claim.answer
        except asyncio.CancelledError:
            # The client left in the turn of the loop in which the answer came: the stream is
            # counted, and no caller will release it.
            if not claim.answer.cancelled() and claim.answer.result() is None:
                self.release(counted_as)
            raise

    def release(self, counted_as: Mapping[str, str]) -> None:
        """Stop counting a stream that was claimed."""
        for field in filter(None, self._fields(counted_as)):
            self._claimed[field] -= 1
            if not self._claimed[field]:
                del self._claimed[field]
            self._unsent[field] = None
        self._changed.set()

    async def run(self) -> None:
        """Claim, release and renew until cancelled, then release everything."""
        if not self._limits:
            return
        try:
            while True:
                self._changed.clear()
                pause = RENEW_SECONDS
                try:
                    with self._rejections.watch("the counts of this gateway's streams"):
                        await self._update()
                except BusError:  # the subscriber logs the loss of the connection
                    pause = CLAIM_RETRY_SECONDS
                await wait_at_most(self._changed, pause)
        finally:
            with suppress(BusError, TimeoutError):
                async with asyncio.timeout(RELEASE_SECONDS):
                    with bus_errors():
                        await self._client.delete(self._key)

    async def _update(self) -> None:
        counts = {field: self._claimed[field] for field in islice(self._unsent, SENT_AT_ONCE)}
        # A claim is measured against the counts in Redis. If some are still unsent it has to wait
        # for the next call, or a stream over the limit would be admitted after a loss of Redis.
        claims = self._waiting[:SENT_AT_ONCE] if len(counts) == len(self._unsent) else []
        # Removed before the call: a count that changes during it must be sent again.
        for field in counts:
            del self._unsent[field]
        del self._waiting[: len(claims)]
        try:
            answers = await self._send(counts, claims)
        except BusError:
            # A limit must not close the gateway while Redis does not count: the streams are
            # admitted. Redis may have executed the call all the same, so its counts are uncertain.
            self._answer(claims, [0] * len(claims))
            self._start_over()
            raise
        if answers[:1] == [_OVERTAKEN]:
            # This is the newest call, and no other has an answer: another program wrote the number.
            log.warning("stream_counts_changed", message=_CHANGED, streams=len(self._claimed))
            self._calls = answers[1]
            self._waiting[:0] = claims
            self._start_over()
        elif answers == _HASH_GONE:
            log.warning("stream_counts_lost", message=_LOST, streams=len(self._claimed))
            self._waiting[:0] = claims
            self._start_over()
        else:
            self._rewriting = False
            self._answer(claims, answers)
        if self._unsent or self._waiting:
            self._changed.set()

    async def _send(self, counts: Mapping[str, int], claims: Iterable[_Claim]) -> list[int]:
        pairs: Iterable[str | int] = chain.from_iterable(counts.items())
        self._calls += 1
        arguments = [
            "rewrite" if self._rewriting else "",
            keys.STREAMS_MILLISECONDS,
            self._calls,
            len(self._limits),
            *self._limits.values(),
            len(counts),
            *pairs,
            *chain.from_iterable(claim.fields for claim in claims),
        ]
        with bus_errors():
            answers: list[int] = await self._script(keys=[self._all, self._key], args=arguments)
        return answers

    def _answer(self, claims: Iterable[_Claim], answers: Iterable[int]) -> None:
        names = list(self._limits)
        for claim, over in zip(claims, answers, strict=True):
            # The client left during the call: Redis has counted the stream, and the old number
            # must be sent again.
            if claim.answer.done():
                self._unsent |= dict.fromkeys(filter(None, claim.fields))
                continue
            if not over:
                self._claimed.update(filter(None, claim.fields))
            claim.answer.set_result(names[over - 1] if over else None)

    def _start_over(self) -> None:
        """Send every count again: the hash in Redis is gone, or its contents are unknown."""
        self._rewriting = True
        self._unsent = dict.fromkeys(self._claimed)

    def _fields(self, counted_as: Mapping[str, str]) -> tuple[str, ...]:
        """Return the field of each limit, empty for a limit under which it is not counted."""
        return tuple(
            f"{limit} {counted_as[limit]}" if limit in counted_as else "" for limit in self._limits
        )
