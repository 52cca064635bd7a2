"""Reads the topics that the gateways watch: at each nudge, and once a second for expiries."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from ingest.demand.wanted import Demand
from shared.bus import keys
from shared.bus.errors import BusError, BusUnreachableError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections

INTEREST_POLL_SECONDS = 1.0
RESUBSCRIBE_SECONDS = 0.5
SUBSCRIBE_SECONDS = 2.0

NUDGE_SPACING_SECONDS = 0.02
"""Nudges that come closer together than this cause one reading."""

LONGEST_MILLISECONDS = 8 * keys.INTEREST_MILLISECONDS
"""The longest time until a claim's expiry that is believed: Redis' clock may be set back."""

CLAIMS = "the reading of the watched topics"
NOTICES = "the subscription to changes of the watched topics"

# A malformed claim counts as expired, and so does one that lasts longer than a gateway can make it:
# it would be believed until somebody deletes it. Returns topic, viewers, topic, viewers, …, and the
# malformed claims.
_READ = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local claims = redis.call('HGETALL', KEYS[1])
local viewers, topics, malformed = {}, {}, {}
for i = 1, #claims, 2 do
  local expiry, count = string.match(claims[i + 1], '^(%d+) (%d+)$')
  local topic = string.match(claims[i], '^%S+ ([%w:./*_-]+)$')
  local is_ours = topic and expiry and tonumber(expiry) <= millis + ARGV[1] and #count < 10
  if not is_ours then malformed[#malformed + 1] = claims[i] end
  if is_ours and tonumber(expiry) > millis then
    if not viewers[topic] then topics[#topics + 1] = topic end
    viewers[topic] = (viewers[topic] or 0) + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], claims[i])
  end
end
local answer = {}
for _, topic in ipairs(topics) do
  answer[#answer + 1] = topic
  answer[#answer + 1] = viewers[topic]
end
return {answer, malformed}
"""


class InterestReader:
    """Keeps the demands of all markets equal to the unexpired claims in Redis."""

    def __init__(
        self,
        client: Redis,
        subscriber: Redis,
        keyspace: Keyspace,
        demands: Collection[Demand],
        rejections: Rejections,
        malformed: MalformedStored,
    ) -> None:
        self._malformed = malformed
        self._keyspace = keyspace
        self._subscriber = subscriber
        self._demands = demands
        self._rejections = rejections
        self._script = client.register_script(_READ)
        self._answer: list[bytes | int] = []
        self._claimed: dict[str, int] = {}
        """The newest answer, and the topics that it names: the claims rarely change."""

    async def run(self) -> None:
        """Read until cancelled; while Redis cannot be read the demand stays as it was."""
        while True:
            # The lease reports the loss of the connection. No claim is dropped because of it:
            # gateways renew theirs, and viewers should find their symbols subscribed when Redis is
            # back.
            with suppress(BusError):
                await self._follow()
            await asyncio.sleep(RESUBSCRIBE_SECONDS)

    async def _follow(self) -> None:
        pubsub = self._subscriber.pubsub()
        try:
            # Subscribe before the first reading, or a claim made between the two is seen late.
            with pubsub_errors():
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await pubsub.subscribe(self._keyspace.interest_channel)
            while True:
                await self._read()
                await asyncio.sleep(NUDGE_SPACING_SECONDS)
                # Redis' answer to the subscription is read here, also if it is a rejection.
                with self._rejections.watch(NOTICES), pubsub_errors():
                    await _nudge(pubsub)
        finally:
            # fakeredis keeps sending to a subscriber that only closes.
            with suppress(BusError), pubsub_errors():
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await pubsub.unsubscribe()
            with suppress(BusError), pubsub_errors():
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _read(self) -> None:
        with self._rejections.watch(CLAIMS), bus_errors():
            answer, malformed = await self._script(
                keys=[self._keyspace.interest], args=[LONGEST_MILLISECONDS]
            )
        for claim in malformed:
            self._malformed.note(self._keyspace.interest, f"{claim!r} is not a claim; removed")
        if answer != self._answer:
            topics, viewers = answer[::2], answer[1::2]
            self._claimed = {
                topic.decode(): int(count) for topic, count in zip(topics, viewers, strict=True)
            }
            self._answer = answer
        for demand in self._demands:
            demand.update(self._claimed)


@contextmanager
def pubsub_errors() -> Iterator[None]:
    """Translate the errors of a subscription.

    redis-py raises RuntimeError if it has dropped the connection that a call expects.

    Raises:
        BusError: the subscription is lost.
    """
    try:
        with bus_errors():
            yield
    except RuntimeError as error:
        raise BusUnreachableError(str(error)) from error


async def _nudge(pubsub: PubSub) -> None:
    """Wait for a nudge, at most until the next poll is due; remove all that have arrived."""
    with suppress(TimeoutError):
        async with asyncio.timeout(INTEREST_POLL_SECONDS):
            await pubsub.get_message(timeout=None)
    while await pubsub.get_message(timeout=0) is not None:
        pass
