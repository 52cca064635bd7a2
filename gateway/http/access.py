"""Who may read: a bearer token for scripts, a single-use ticket for browsers."""

import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress

from starlette.requests import Request

from gateway.bus.tickets import TicketStore
from gateway.http.api_error import ApiError
from gateway.http.denial import denied_scopes
from gateway.wire.grant import Grant
from gateway.wire.principal import Principal
from shared.bus import keys
from shared.bus.errors import BusError

ANYBODY = Principal("anonymous")


class Access:
    """Checks requests against ``API_TOKEN``; without a token (loopback only) all are let in."""

    def __init__(self, grants: Sequence[Grant], tickets: TicketStore) -> None:
        given = {grant.token.get_secret_value().encode(): grant.scopes for grant in grants}
        self._principals = {
            token: Principal(_name_of(token), scopes=scopes) for token, scopes in given.items()
        }
        self._tickets = tickets

    def check(self, request: Request, scope: str | None = None) -> Principal:
        """Let a request with the right bearer token in, and return whose it is.

        Raises:
            ApiError: 401, saying what was missing or wrong, never what would be right; 403, the
                token has not the scope.
        """
        principal = self._principal_of(request)
        if scope is not None and not principal.has(scope):
            raise denied_scopes([scope])
        return principal

    def _principal_of(self, request: Request) -> Principal:
        if not self._principals:
            return ANYBODY
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise _refusal("no token was sent")
        sent = given.strip().encode("latin-1")  # the header's bytes, which Starlette decoded so
        # Every comparison runs, so that time tells neither which token nor how far it agreed.
        matches = [
            principal
            for token, principal in self._principals.items()
            if hmac.compare_digest(sent, token)
        ]
        if not matches:
            raise _refusal("the token is wrong")
        return matches[0]

    async def check_stream(self, request: Request) -> Principal:
        """Let a stream in by token or, where a browser cannot send one, by ``?ticket=``.

        Raises:
            ApiError: 401 as in ``check``.
            BusError: the ticket cannot be looked up.
        """
        ticket = self._ticket_of(request)
        if ticket is None:
            return self.check(request)
        # HEAD opens no stream, so it must not use the ticket up.
        find = self._tickets.look_up if request.method == "HEAD" else self._tickets.redeem
        principal = await find(ticket)
        if principal is None:
            raise _refusal(f"the ticket is unknown, used or older than {keys.TICKET_SECONDS} s")
        return principal

    async def issue_ticket(self, principal: Principal) -> str:
        """Return a new ticket for a principal.

        Raises:
            BusError: it cannot be stored.
        """
        return await self._tickets.issue(principal)

    async def give_back(self, request: Request, principal: Principal) -> None:
        """Make the ticket good again of a stream that found no room.

        An EventSource comes back by itself with the request that it has, ticket and all.
        """
        ticket = self._ticket_of(request)
        if ticket is not None:
            with suppress(BusError):
                await self._tickets.store(ticket, principal)

    def _ticket_of(self, request: Request) -> str | None:
        """Return the ticket, or None where it does not matter."""
        if not self._principals or "authorization" in request.headers:
            return None
        return request.query_params.get("ticket")


def _name_of(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()[:12]


def _refusal(message: str) -> ApiError:
    return ApiError(
        401,
        "unauthorized",
        message,
        "send 'Authorization: Bearer <API_TOKEN>'; a browser first gets a ticket from "
        "POST /api/stream/ticket and adds ?ticket=",
        {"WWW-Authenticate": "Bearer"},
    )
