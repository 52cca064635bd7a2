"""Answers the gateways' requests: each one once, with a deadline, and with a limit on their number.

A request waits in Redis until its reply is stored there, so that the next leader answers what the
leader before it has not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from ingest.bus.interest import pubsub_errors
from ingest.bus.lease import Lease
from shared import request
from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.request import Failure, Reply, Request
from shared.waiting import wait_at_most

ANSWERED_AT_ONCE = 4
"""Requests under way: each may take several calls of REST, whose budget serves prices first."""

POLL_SECONDS = 1.0
NUDGE_SPACING_SECONDS = 0.01
"""Nudges that come closer together than this cause one reading."""

RESUBSCRIBE_SECONDS = 0.5
SUBSCRIBE_SECONDS = 2.0

FAILURE_SECONDS = 2.0
"""How long a failure is the reply: clients that repeat at once cause no further call of REST."""

REPLIES_BYTES = 64 * 2**20
"""The replies that are kept in Redis; beyond them, a reply is kept until its askers have it."""

LONGEST_MILLISECONDS = 4 * keys.REQUEST_MILLISECONDS
"""The longest time until a deadline that is believed: Redis' clock may be set back."""

REQUESTS = "the reading of the gateways' requests"
REPLIES = "the replies to the gateways' requests"

# Returns the digests and requests whose time has not passed, the most urgent first, then those that
# are no requests. Both those and the ones that are too late are removed.
_READ = """
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local waiting = redis.call('HGETALL', KEYS[1])
local found, malformed = {}, {}
for i = 1, #waiting, 2 do
  local deadline, body = string.match(waiting[i + 1], '^(%d+) (.*)$')
  local is_named = #waiting[i] == 40 and string.find(waiting[i], '^%x+$')
  local is_ours = is_named and deadline and tonumber(deadline) <= millis + ARGV[1]
  if not is_ours then malformed[#malformed + 1] = waiting[i] end
  if is_ours and tonumber(deadline) > millis then
    found[#found + 1] = {tonumber(deadline), waiting[i], body}
  else
    redis.call('HDEL', KEYS[1], waiting[i])
  end
end
table.sort(found, function(a, b)
  if a[1] == b[1] then return a[2] < b[2] end
  return a[1] < b[1]
end)
local answer = {}
for _, each in ipairs(found) do
  answer[#answer + 1] = each[2]
  answer[#answer + 1] = each[3]
end
return {answer, malformed}
"""

# KEYS: the fencing counter, reply, requests, askers. ARGV: epoch, digest, reply, its life in ms,
# prefix of the gateways' inboxes.
_REPLY = """
local newest = redis.call('GET', KEYS[1])
if newest and tonumber(newest) > tonumber(ARGV[1]) then return -1 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('HDEL', KEYS[3], ARGV[2])
for _, asker in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  redis.call('PUBLISH', ARGV[5] .. asker, '{"type":"replied","question":"' .. ARGV[2] .. '"}')
end
redis.call('DEL', KEYS[4])
return 0
"""


class Answer(Protocol):
    """A reply, and for how long (s) it is valid."""

    @property
    def reply(self) -> Reply:
        """The reply itself."""

    @property
    def seconds(self) -> float:
        """A failure is kept for ``FAILURE_SECONDS`` instead."""


class _Waiting(NamedTuple):
    digest: str
    asked: Request


class RequestResponder:
    """Answers by ``answer``, which does not raise."""

    def __init__(
        self,
        client: Redis,
        subscriber: Redis,
        keyspace: Keyspace,
        lease: Lease,
        answer: Callable[[Request], Awaitable[Answer]],
        rejections: Rejections,
        malformed: MalformedStored,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._subscriber = subscriber
        self._keyspace = keyspace
        self._lease = lease
        self._answer = answer
        self._rejections = rejections
        self._malformed = malformed
        self._kept = KeptReplies(monotonic)
        self._read_script = client.register_script(_READ)
        self._reply_script = client.register_script(_REPLY)
        self._under_way: set[str] = set()
        self._ended: set[str] = set()
        """Those that have ended since the newest reading began: it may show them all the same."""
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_nudges())
            while True:
                self._nudged.clear()
                with suppress(BusError):  # the lease reports the loss
                    for waiting in await self._read():
                        self._under_way.add(waiting.digest)
                        tasks.create_task(self._serve(waiting))
                await asyncio.sleep(NUDGE_SPACING_SECONDS)
                await wait_at_most(self._nudged, POLL_SECONDS)

    async def _read(self) -> list[_Waiting]:
        """Return the requests to begin now, the most urgent ones first."""
        room = ANSWERED_AT_ONCE - len(self._under_way)
        if room <= 0:
            return []
        self._ended.clear()
        found, malformed = await self._shown_requests()
        requests: list[_Waiting] = []
        for digest, body in zip(found[::2], found[1::2], strict=True):
            is_begun = digest.decode() in self._under_way | self._ended
            if len(requests) < room and not is_begun:
                asked = _request_of(digest.decode(), body)
                if asked is None:
                    malformed.append(digest)
                    with bus_errors():
                        await self._client.hdel(self._keyspace.requests, digest)
                else:
                    requests.append(_Waiting(digest.decode(), asked))
        for digest in malformed:
            text = f"{digest[:80]!r} is not a request; removed"
            self._malformed.note(self._keyspace.requests, text)
        return requests

    async def _shown_requests(self) -> list[Any]:
        with self._rejections.watch(REQUESTS), bus_errors():
            found: list[Any] = await self._read_script(
                keys=[self._keyspace.requests], args=[LONGEST_MILLISECONDS]
            )
        return found

    async def _serve(self, waiting: _Waiting) -> None:
        digest = waiting.digest
        try:
            answer = await self._answer(waiting.asked)
            reply, seconds = answer.reply, answer.seconds
            body = request.encode(reply)
            if isinstance(reply, Failure):
                seconds = FAILURE_SECONDS
            seconds = self._kept.keep(len(body), seconds)
            # A lost reply is asked for again at the next reading, until its deadline.
            with suppress(BusError), self._rejections.watch(REPLIES):
                await self._reply(digest, body, seconds)
        finally:
            self._under_way.discard(digest)
            self._ended.add(digest)
            self._nudged.set()  # there is room for another one

    async def _reply(self, digest: str, body: bytes, seconds: float) -> None:
        names = self._keyspace
        epoch = await self._lease.valid()
        with bus_errors():
            await self._reply_script(
                keys=[names.epoch, names.reply(digest), names.requests, names.askers(digest)],
                args=[epoch, digest, body, int(seconds * 1000), names.inbox("")],
            )

    async def _follow_nudges(self) -> None:
        while True:
            with suppress(BusError):
                await self._follow_connection(self._subscriber.pubsub())
            await asyncio.sleep(RESUBSCRIBE_SECONDS)

    async def _follow_connection(self, pubsub: PubSub) -> None:
        try:
            with pubsub_errors():
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await pubsub.subscribe(self._keyspace.requests_channel)
            while True:
                with self._rejections.watch(REQUESTS), pubsub_errors():
                    await pubsub.get_message(timeout=None)
                self._nudged.set()
        finally:
            # fakeredis keeps sending to a subscriber that only closes.
            with suppress(BusError), pubsub_errors():
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await pubsub.unsubscribe()
            with suppress(BusError), pubsub_errors():
                await pubsub.aclose()  # type: ignore[no-untyped-call]


def _request_of(digest: str, body: bytes) -> Request | None:
    """Return a request; None if it is none, or is not stored under its own name."""
    if request.digest_of(body) != digest:
        return None
    try:
        asked: Request = request.decode_request(body)
    except (ValueError, msgspec.DecodeError):
        return None
    return asked


class KeptReplies:
    """The size of the replies that Redis keeps; ``monotonic`` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: list[tuple[float, int]] = []
        """When each reply expires, and its bytes."""

    def keep(self, size: int, seconds: float) -> float:
        """Return for how long (s) a reply of ``size`` bytes is kept, at most ``seconds``."""
        now = self._monotonic()
        self._kept = [each for each in self._kept if each[0] > now]
        least = keys.REQUEST_MILLISECONDS / 1000
        if size + sum(each for _, each in self._kept) > REPLIES_BYTES:
            seconds = min(seconds, least)
        self._kept.append((now + seconds, size))
        return seconds
