"""Tickets in Redis, where any gateway can redeem a ticket, and only one can."""

import hashlib
import re
import secrets

import msgspec
from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from gateway.wire.principal import Principal
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace

TICKET_BYTES = 24

_FORM = re.compile(r"[A-Za-z0-9_-]{32}")
"""``TICKET_BYTES`` in base 64."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Principal).decode


class TicketStore:
    """Issues tickets and redeems them for the principal that each was issued to.

    Every method raises BusError if Redis is unreachable.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, malformed: MalformedData) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed

    async def issue(self, principal: Principal) -> str:
        """Return a new ticket, which is valid for ``keys.TICKET_SECONDS``; its hash is stored."""
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        await self._store(ticket, principal)
        return ticket

    async def look_up(self, ticket: str) -> Principal | None:
        """Return the principal of a ticket; None if it is unknown, used or expired."""
        # Only a ticket of ours is worth a question to Redis.
        if not _FORM.fullmatch(ticket):
            return None
        with bus_errors():
            return self._principal_of(await self._client.get(self._key_of(ticket)))

    async def redeem(self, ticket: str) -> Principal | None:
        """Use up a ticket; return None if it is unknown, used or expired."""
        # Read and delete are one command: of two gateways that get the same ticket, one finds it.
        with bus_errors():
            return self._principal_of(await self._client.getdel(self._key_of(ticket)))

    async def renew(self, ticket: str) -> None:
        """Start the life of a ticket again, unless it has been used."""
        with bus_errors():
            await self._client.expire(self._key_of(ticket), keys.TICKET_SECONDS)

    async def _store(self, ticket: str, principal: Principal) -> None:
        with bus_errors():
            await self._client.set(self._key_of(ticket), _encode(principal), ex=keys.TICKET_SECONDS)

    def _key_of(self, ticket: str) -> str:
        return self._keyspace.ticket(hashlib.sha256(ticket.encode()).hexdigest())

    def _principal_of(self, stored: bytes | str | None) -> Principal | None:
        if stored is not None:
            with self._malformed.skipping(b"ticket"):
                return _decode(stored)
        return None
