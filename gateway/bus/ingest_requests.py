"""Requests to the ingest: it has Alpaca's keys, and a gateway has none.

Equal requests of any number of gateways are made once, and the reply is kept in Redis for as long
as it is valid.
"""

import asyncio
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gateway.bus.inbox import Answer, Inbox
from gateway.bus.malformed import MalformedData
from shared import request
from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.request import Data, Failure, Reply, Request

LOOK_SECONDS = 0.5
"""The reply is looked for in this time even if its notice is lost with a connection."""

_REPLY, _FULL = b"reply", b"full"

# The reply may have come between two looks: then nothing is asked. KEYS: reply, requests, askers.
# ARGV: digest, request, life in ms, gateway, most requests, channel of the notice. A key of the
# ingest's must not be among them: a script needs the right to write each of its keys.
_REGISTER = """
local reply = redis.call('MGET', KEYS[1])[1]
if reply then return {'reply', reply} end
local known = redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1
if not known and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[5]) then
  return {'full', ''}
end
local now = redis.call('TIME')
local deadline = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f ', deadline) .. ARGV[2])
redis.call('SADD', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PUBLISH', ARGV[6], ARGV[1])
return {'waiting', ''}
"""


class Replied(Answer, kw_only=True, tag="replied"):
    """The ingest's notice that a reply is there; ``question`` is the digest of its request."""


class IngestRequestError(Exception):
    """The ingest has not replied with data; the message is for the client."""


class NoIngestError(IngestRequestError):
    """No ingest leads at present."""


class RequestTimeoutError(IngestRequestError):
    """The ingest has not replied in time."""


class TooManyRequestsError(IngestRequestError):
    """As many requests wait as the ingest can answer in time."""


class RequestFailedError(IngestRequestError):
    """The ingest could not get the data: ``code`` is the reply's."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code


class _Asking(NamedTuple):
    """A request under way, and its reply for every client that waits for it."""

    digest: str
    encoded: bytes
    reply: asyncio.Future[bytes]


class IngestRequests:
    """Asks the ingest; within this gateway, equal requests share one wait. ``run`` has to run."""

    def __init__(
        self, client: Redis, keyspace: Keyspace, inbox: Inbox, malformed: MalformedData
    ) -> None:
        self._client = client
        self._malformed = malformed
        self._keyspace = keyspace
        self._inbox = inbox
        self._register = client.register_script(_REGISTER)
        self._to_ask: asyncio.Queue[_Asking] = asyncio.Queue(keys.REQUESTS_AT_MOST)
        self._under_way: dict[str, _Asking] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._settle(await self._to_ask.get()))

    async def ask(self, asked: Request) -> Data:
        """Return the reply to a request.

        Raises:
            IngestRequestError: there is none, or it is a failure.
            BusError: Redis is unreachable or rejects a command.
        """
        encoded = request.encode(asked)
        digest = request.digest_of(encoded)
        asking = self._under_way.get(digest)
        if asking is None:
            # It belongs to every client that waits: one that leaves must not end it for the others.
            asking = _Asking(digest, encoded, asyncio.get_running_loop().create_future())
            try:
                self._to_ask.put_nowait(asking)
            except asyncio.QueueFull:
                raise _full_error(has_ingest=True) from None
            self._under_way[digest] = asking
        return self._data_of(digest, await asyncio.shield(asking.reply))

    async def kept(self, asked: Request) -> Data:
        """Return the reply that Redis keeps of an equal request, and wait for none.

        Raises:
            IngestRequestError: it keeps none, or a failure.
            BusError: Redis is unreachable or rejects a command.
        """
        digest = request.digest_of(request.encode(asked))
        if (stored := await self._stored(digest)) is None:
            raise _no_ingest_error()
        return self._data_of(digest, stored)

    def _data_of(self, digest: str, body: bytes) -> Data:
        """Return the data of a reply.

        Raises:
            RequestFailedError: it has none.
        """
        reply: Reply | None = None
        with self._malformed.skipping(self._keyspace.reply(digest).encode()):
            reply = request.decode_reply(body)
        if reply is None:
            message = "the reply of the ingest is of another version"
            reply = Failure(code="upstream_failed", message=message)
        if isinstance(reply, Failure):
            raise RequestFailedError(reply)
        return reply

    async def _settle(self, asking: _Asking) -> None:
        """Get the reply, or the error, for every client that waits for it."""
        try:
            reply = await self._ask(asking.digest, asking.encoded)
        except (IngestRequestError, BusError) as error:
            asking.reply.set_exception(error)
            asking.reply.exception()  # perhaps no client waits any more
        else:
            asking.reply.set_result(reply)
        finally:
            asking.reply.cancel()  # of no effect unless this gateway ends
            del self._under_way[asking.digest]

    async def _ask(self, digest: str, encoded: bytes) -> bytes:
        if (stored := await self._stored(digest)) is not None:
            return stored
        with self._inbox.awaiting(digest) as noticed:
            state, value = await self._registered(digest, encoded)
            if state == _REPLY:
                return value
            if state == _FULL:
                raise _full_error(has_ingest=await self._has_ingest())
            try:
                async with asyncio.timeout(keys.REQUEST_MILLISECONDS / 1000):
                    return await self._reply(digest, noticed)
            except TimeoutError:
                pass
        raise await self._timeout_error()

    async def _stored(self, digest: str) -> bytes | None:
        with bus_errors():
            # MGET finds no value under a key of another type, which the reply replaces.
            answer: list[Any] = await self._client.mget([self._keyspace.reply(digest)])
        stored: bytes | None = answer[0]
        return stored

    async def _registered(self, digest: str, encoded: bytes) -> tuple[bytes, bytes]:
        names = self._keyspace
        with bus_errors():
            state, value = await self._register(
                keys=[names.reply(digest), names.requests, names.askers(digest)],
                args=[
                    digest,
                    encoded,
                    keys.REQUEST_MILLISECONDS,
                    self._inbox.gateway_id,
                    keys.REQUESTS_AT_MOST,
                    names.requests_channel,
                ],
            )
        return state, value

    async def _reply(self, digest: str, noticed: asyncio.Future[Replied]) -> bytes:
        while True:
            await asyncio.wait([noticed], timeout=LOOK_SECONDS)
            if (stored := await self._stored(digest)) is not None:
                return stored
            if noticed.done():  # its reply has expired already, or Redis was emptied
                await asyncio.sleep(LOOK_SECONDS)

    async def _has_ingest(self) -> bool:
        with bus_errors():
            return bool(await self._client.exists(self._keyspace.lease))

    async def _timeout_error(self) -> IngestRequestError:
        if not await self._has_ingest():
            return _no_ingest_error()
        seconds = keys.REQUEST_MILLISECONDS / 1000
        return RequestTimeoutError(f"the ingest has not replied within {seconds:g} s")


def _no_ingest_error() -> NoIngestError:
    return NoIngestError("no ingest leads at present, and only it can get these data")


def _full_error(*, has_ingest: bool) -> IngestRequestError:
    if not has_ingest:
        return _no_ingest_error()
    return TooManyRequestsError(
        f"{keys.REQUESTS_AT_MOST} requests wait for the ingest, and no more are accepted"
    )
