"""How many streams somebody has open at all gateways together.

Each gateway counts its own in a hash that expires with it, so one that dies takes its claims along.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain, islice
from typing import NamedTuple

import structlog
from redis.asyncio import Redis

from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS
from shared.waiting import wait_at_most

log = structlog.get_logger()

RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5
AT_ONCE = 200
"""Counts or claims of one call, which keeps Redis from all else for about two milliseconds."""

LOST = -1

# KEYS: the set of all gateways' hashes, this gateway's hash.
# ARGV: "anew" where the hash is written from the beginning; its life in ms; how many limits there
# are, and each; how many counts follow, and each as field and number; the claims, each as the field
# that every limit counts it under.
# Returns for each claim 0, or the place of the limit that forbids it; {-1} where the hash is gone.
_CLAIM = """
local own, limits, at = KEYS[2], tonumber(ARGV[3]), 4 + ARGV[3]
if ARGV[1] == 'anew' then redis.call('DEL', own)
elseif redis.call('EXISTS', own) == 0 then return {-1} end
redis.call('HSET', own, 'alive', 1)
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
      open[field] = open[field] + (redis.call('HGET', gateway, field) or 0)
    end
  end
  return open[field]
end

local answers = {}
for claim = claims, #ARGV, limits do
  local over = 0
  for i = 0, limits - 1 do
    if over == 0 and count(ARGV[claim + i]) >= tonumber(ARGV[4 + i]) then over = i + 1 end
  end
  for i = 0, limits - 1 do
    if over == 0 then
      local field = ARGV[claim + i]
      open[field] = open[field] + 1
      redis.call('HINCRBY', own, field, 1)
    end
  end
  answers[#answers + 1] = over
end
return answers
"""


class _Claim(NamedTuple):
    fields: tuple[str, ...]
    answer: "asyncio.Future[str | None]"


class StreamClaims:
    """Claims a place for each stream under every limit; ``limits`` has the most by what is counted.

    Claims of the same moment, and those that come while Redis is asked, share one call. Without
    limits nothing is asked. While Redis is away everybody is let in, and counted once it is back.
    """

    def __init__(self, client: Redis, gateway_id: str, limits: Mapping[str, int]) -> None:
        self._client = client
        self._script = client.register_script(_CLAIM)
        self._key = keys.streams_key(gateway_id)
        self._limits = dict(limits)
        self._held: Counter[str] = Counter()
        self._untold: dict[str, None] = {}
        self._claims: list[_Claim] = []
        self._anew = True
        self._changed = asyncio.Event()

    async def claim(self, who: Mapping[str, str]) -> str | None:
        """Claim a place for who is counted so; return what is at its limit, None if nothing is."""
        if not self._limits:
            return None
        claim = _Claim(self._fields(who), asyncio.get_running_loop().create_future())
        self._claims.append(claim)
        self._changed.set()
        try:
            return await claim.answer
        except asyncio.CancelledError:
            if not claim.answer.cancelled() and claim.answer.result() is None:
                self.release(who)  # the place came together with the cancellation
            raise

    def release(self, who: Mapping[str, str]) -> None:
        """Give a claimed place back."""
        for field in self._fields(who):
            self._held[field] -= 1
            if not self._held[field]:
                del self._held[field]
            self._untold[field] = None
        self._changed.set()

    async def run(self) -> None:
        """Ask, tell and renew until cancelled, then give everything back."""
        if not self._limits:
            return
        try:
            while True:
                self._changed.clear()
                pause = RENEW_SECONDS
                try:
                    await self._tell()
                except REDIS_ERRORS:  # the subscriber reports the loss
                    pause = RETRY_SECONDS
                await wait_at_most(self._changed, pause)
        finally:
            with suppress(*REDIS_ERRORS, TimeoutError):
                async with asyncio.timeout(1):
                    await self._client.delete(self._key)

    async def _tell(self) -> None:
        told = {field: self._held[field] for field in islice(self._untold, AT_ONCE)}
        # No claim goes before the counts that it is measured against.
        claims = self._claims[:AT_ONCE] if len(told) == len(self._untold) else []
        for field in told:
            del self._untold[field]
        del self._claims[: len(claims)]
        try:
            answers = await self._send(told, claims)
        except REDIS_ERRORS:
            self._answer(claims, [0] * len(claims))
            self._begin_anew()
            raise
        if answers == [LOST]:
            log.warning("redis has lost its data; counting streams anew", streams=len(self._held))
            self._claims[:0] = claims
            self._begin_anew()
        else:
            self._anew = False
            self._answer(claims, answers)
        if self._untold or self._claims:
            self._changed.set()

    async def _send(self, told: Mapping[str, int], claims: Iterable[_Claim]) -> list[int]:
        counts: Iterable[str | int] = chain.from_iterable(told.items())
        arguments = [
            "anew" if self._anew else "",
            keys.STREAMS_MILLISECONDS,
            len(self._limits),
            *self._limits.values(),
            len(told),
            *counts,
            *chain.from_iterable(claim.fields for claim in claims),
        ]
        answers: list[int] = await self._script(keys=[keys.STREAMS, self._key], args=arguments)
        return answers

    def _answer(self, claims: Iterable[_Claim], answers: Iterable[int]) -> None:
        names = list(self._limits)
        for claim, over in zip(claims, answers, strict=True):
            if claim.answer.done():  # nobody waits any more, though Redis has counted it
                self._untold |= dict.fromkeys(claim.fields)
                continue
            if not over:
                self._held.update(claim.fields)
            claim.answer.set_result(names[over - 1] if over else None)

    def _begin_anew(self) -> None:
        """Have everything told again: what Redis knows is nothing, or uncertain."""
        self._anew = True
        self._untold = dict.fromkeys(self._held)

    def _fields(self, who: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(f"{counted} {who[counted]}" for counted in self._limits)
