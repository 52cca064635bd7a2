"""Tickets in Redis, where any gateway can redeem a ticket, and only one can."""

import hashlib
import secrets
from contextlib import suppress

import msgspec
from redis.asyncio import Redis

from gateway.wire.principal import Principal
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Principal).decode


class TicketStore:
    """Issues tickets and redeems them for the principal that each was issued to.

    Every method raises BusError if Redis is unreachable.
    """

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    async def issue(self, principal: Principal) -> str:
        """Return a new ticket, which is valid for ``keys.TICKET_SECONDS``."""
        ticket = secrets.token_urlsafe(24)
        await self.store(ticket, principal)
        return ticket

    async def store(self, ticket: str, principal: Principal) -> None:
        """Make a ticket valid from now on, or valid again; only its hash is stored."""
        with bus_errors():
            await self._client.set(self._key_of(ticket), _encode(principal), ex=keys.TICKET_SECONDS)

    async def redeem(self, ticket: str) -> Principal | None:
        """Use up a ticket; return None if it is unknown, used or expired."""
        # Read and delete are one command: of two gateways that get the same ticket, one finds it.
        with bus_errors():
            return _principal_of(await self._client.getdel(self._key_of(ticket)))

    async def look_up(self, ticket: str) -> Principal | None:
        """Return the principal of a ticket, as ``redeem`` does, but leave the ticket valid."""
        with bus_errors():
            return _principal_of(await self._client.get(self._key_of(ticket)))

    def _key_of(self, ticket: str) -> str:
        return self._keyspace.ticket(hashlib.sha256(ticket.encode()).hexdigest())


def _principal_of(stored: bytes | str | None) -> Principal | None:
    with suppress(msgspec.DecodeError):  # there is none, or another version stored it
        return _decode(stored or b"")
    return None
