"""Tickets in Redis, where every gateway finds them and each is found once."""

import hashlib
import secrets
from contextlib import suppress

import msgspec
from redis.asyncio import Redis

from gateway.wire.principal import Principal
from shared.bus import keys

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Principal).decode


class TicketStore:
    """Who holds a ticket comes in as the principal that it was issued to, once.

    Every method raises RedisError or OSError while Redis is away.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def issue(self, principal: Principal) -> str:
        """Return a new ticket."""
        ticket = secrets.token_urlsafe(24)
        await self.keep(ticket, principal)
        return ticket

    async def keep(self, ticket: str, principal: Principal) -> None:
        """Let a ticket be used from now on; only its hash is stored."""
        await self._client.set(_key_of(ticket), _encode(principal), ex=keys.TICKET_SECONDS)

    async def take(self, ticket: str) -> Principal | None:
        """Use a ticket up; None if it is unknown, used or too old."""
        return _principal_of(await self._client.getdel(_key_of(ticket)))

    async def look_up(self, ticket: str) -> Principal | None:
        """Do the same, and leave it."""
        return _principal_of(await self._client.get(_key_of(ticket)))


def _key_of(ticket: str) -> str:
    return keys.ticket_key(hashlib.sha256(ticket.encode()).hexdigest())


def _principal_of(stored: bytes | str | None) -> Principal | None:
    with suppress(msgspec.DecodeError):  # none, or one of another version
        return _decode(stored or b"")
    return None
