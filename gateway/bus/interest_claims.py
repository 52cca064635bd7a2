"""The topics that this gateway watches, claimed in Redis so that the ingest subscribes to them.

Claims expire, so a gateway that dies stops being counted without anyone cleaning up.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain

import structlog
from redis.asyncio import Redis

from gateway.bus.claim_times import CLAIM_RETRY_SECONDS, RELEASE_SECONDS, RENEW_SECONDS
from gateway.bus.last_values import LastValues
from gateway.fanout.hub import Hub
from shared.bus import keys
from shared.bus.errors import BusError, BusRejectedError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.waiting import wait_at_most

log = structlog.get_logger()

CLAIMS = "this gateway's claims of topics"
VALUES = "the values that this gateway writes back"

MARK_SECONDS = 60
"""How long the mark of a write-back lives: longer than its commands may take."""

_RELEASED = ""

# Expiry uses Redis' own clock, so that gateways whose clocks differ expire alike. The message
# notifies the ingest, which otherwise reads the claims only now and then.
# The witness is an earlier claim of this gateway. If it is gone, Redis has lost its data, and
# nothing is claimed yet: the values must be written back first. While they are, the mark is the
# witness: it was set before them.
_CLAIM = """
local witness, mark = ARGV[2], ARGV[3]
if witness ~= '' and redis.call('HEXISTS', KEYS[1], witness) == 0 then return -1 end
if mark ~= '' and redis.call('GET', KEYS[2]) ~= mark then return -1 end
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
local expiry = string.format('%.0f', millis)
local changed = 0
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    changed = changed + redis.call('HDEL', KEYS[1], ARGV[i])
  else
    changed = changed + redis.call('HSET', KEYS[1], ARGV[i], expiry .. ' ' .. ARGV[i + 1])
  end
end
if changed > 0 then redis.call('PUBLISH', ARGV[4], 'changed') end
return changed
"""


class InterestClaims:
    """Claims every topic that the hub has: a new one at once, all of them every five seconds.

    A claim states the number of viewers. The hub keeps a topic for a while after its last viewer
    has left, and the topic stays claimed meanwhile, so that a client that reconnects misses
    nothing.

    If Redis may have lost its data, the values shown here are written back before anything is
    claimed: the ingest reads the stored values when it first sees a topic claimed.

    ``changed`` is set when the hub adds or drops a topic.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        hub: Hub,
        gateway_id: str,
        changed: asyncio.Event,
        rejections: Rejections,
        values: LastValues,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._mark = keyspace.written_back(gateway_id)
        self._hub = hub
        self._gateway_id = gateway_id
        self._claim = client.register_script(_CLAIM)
        self._values = values
        self._claimed: set[str] = set()
        self._changed = changed
        self._rejections = rejections
        self._renew_at = 0.0
        self._claimed_until = 0.0
        """When the claims that Redis has expire, in the loop's time, at the earliest."""
        self._may_be_empty = False
        self._write_backs = 0
        self._is_rejected = False

    def on_connected(self) -> None:
        """Write back and claim everything: Redis may have restarted without its data."""
        self._may_be_empty = True
        self._changed.set()

    def on_epoch(self) -> None:
        """Claim everything now: a new leader may have found an empty Redis."""
        self._renew_at = 0.0
        self._changed.set()

    async def run(self) -> None:
        """Claim and renew until cancelled, then release every claim."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._changed.clear()
                may_be_empty, self._may_be_empty = self._may_be_empty, False
                pause = CLAIM_RETRY_SECONDS
                try:
                    await self._update(loop.time(), may_be_empty=may_be_empty)
                    pause = self._renew_at - loop.time()
                except BusRejectedError as error:
                    self._may_be_empty |= may_be_empty
                    self._on_rejected(loop.time(), error)
                except BusError:
                    # The subscriber logs the loss. After it Redis may be a different one.
                    self._may_be_empty = True
                await wait_at_most(self._changed, pause)
        finally:
            # The ingest then drops the symbols now and not only when the claims expire. The
            # limit keeps an unreachable Redis from delaying the end of the process.
            with suppress(BusError, TimeoutError):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._send(dict.fromkeys(self._claimed, _RELEASED))

    async def _update(self, now: float, *, may_be_empty: bool) -> None:
        # A rejected renewal is repeated soon, and not at the time of the next one.
        renewing = may_be_empty or self._is_rejected or now >= self._renew_at
        if renewing:
            self._renew_at = now + RENEW_SECONDS
        mark = await self._write_back() if may_be_empty else ""
        watched = {self._member(c.topic): c.watchers for c in self._hub.channels.values()}
        claims: dict[str, str | int] = dict.fromkeys(self._claimed - watched.keys(), _RELEASED)
        # Between renewals only new topics are sent. A change in the number of viewers can wait.
        claims |= {
            member: viewers
            for member, viewers in watched.items()
            if renewing or member not in self._claimed
        }
        witness = "" if may_be_empty else next(iter(self._claimed), "")
        if await self._send(claims, witness, mark):
            self._claimed = set(watched)
            if renewing:
                self._claimed_until = now + keys.INTEREST_MILLISECONDS / 1000
            if self._is_rejected:
                self._is_rejected = False
                self._hub.unmark_claimed()
        else:
            log.warning(
                "redis_data_lost",
                message="writing back the values that are shown here",
                topics=len(watched),
            )
            self.on_connected()

    async def _write_back(self) -> str:
        """Write back the values that are shown here; return the mark that was set before."""
        self._write_backs += 1
        mark = str(self._write_backs)
        try:
            with bus_errors():
                await self._client.set(self._mark, mark, ex=MARK_SECONDS)
        except BusRejectedError as error:
            # Not ``watch``: that the mark is accepted says nothing about the claims.
            self._rejections.on_rejected(CLAIMS, error)
            raise
        # A user that may not write last values can still claim: the ingest announces them again.
        with suppress(BusRejectedError), self._rejections.watch(VALUES):
            await self._values.write_back(
                self._hub.channels.values(), self._hub.own_ids.first_epoch
            )
        return mark

    def _on_rejected(self, now: float, error: BusRejectedError) -> None:
        """Note that no claim was made, and show it to the viewers of topics that have none."""
        self._is_rejected = True
        # The claims that were made before outlive a short rejection. Once they have expired, they
        # cannot show whether Redis still has its data.
        if now >= self._claimed_until:
            self._claimed = set()
            self._may_be_empty = True
        topics = [channel.topic for channel in self._hub.channels.values()]
        self._hub.mark_unclaimed(
            [topic for topic in topics if self._member(topic) not in self._claimed],
            f"this gateway cannot ask for it: Redis rejects the claim of its topics: {error}",
        )

    def _member(self, topic: str) -> str:
        return f"{self._gateway_id} {topic}"

    async def _send(
        self, claims: Mapping[str, str | int], witness: str = "", mark: str = ""
    ) -> bool:
        """Claim and release; return False, having done neither, if witness or mark is gone."""
        if not claims:
            return True
        pairs = chain.from_iterable(claims.items())
        nudged = self._keyspace.interest_channel
        arguments = [keys.INTEREST_MILLISECONDS, witness, mark, nudged, *pairs]
        names = [self._keyspace.interest, self._mark]
        with self._rejections.watch(CLAIMS), bus_errors():
            return int(await self._claim(keys=names, args=arguments)) >= 0
