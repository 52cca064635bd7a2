"""Access: a bearer token for scripts, a single-use ticket for browsers."""

import re
from collections.abc import Awaitable
from contextlib import suppress

from starlette.requests import Request

from gateway.bus.tickets import TicketStore
from gateway.http.api_error import ApiError
from gateway.http.denial import denied_scopes
from gateway.http.failed_attempts import FailedAttempts
from gateway.wire.principal import Principal
from gateway.wire.token_table import TokenTable
from shared.bus import keys
from shared.bus.errors import BusBusyError, BusError, BusRejectedError

ANYBODY = Principal("anonymous")

_NO_TICKET = f"the ticket is unknown, used or older than {keys.TICKET_SECONDS} s"
_TICKET = re.compile(rb"(?:^|&)ticket=([^&]*)")


class Access:
    """Checks requests against ``API_TOKEN``; if there is no token (loopback only), accepts all."""

    def __init__(self, tokens: TokenTable, tickets: TicketStore, attempts: FailedAttempts) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._attempts = attempts

    def allows(self, principal: Principal) -> bool:
        """Return whether a principal may still do what it could when its request was checked."""
        return principal is ANYBODY or self._tokens.present(principal) == principal

    def check(self, request: Request, scope: str | None = None) -> Principal:
        """Return the principal of a request's bearer token.

        Raises:
            ApiError: 401, the token is missing or wrong; 403, the token lacks the scope; 429, the
                token is wrong, and so were many others of this address.
        """
        principal = self._principal_of(request)
        if scope is not None and not principal.has(scope):
            raise denied_scopes([scope])
        return principal

    def _principal_of(self, request: Request) -> Principal:
        if self._tokens.is_empty:
            return ANYBODY
        sent = request.headers.getlist("authorization")
        # A proxy that checks tokens may have read the other one.
        if len(sent) > 1:
            raise _rejection("more than one Authorization header was sent")
        scheme, _, given = "".join(sent).partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise _rejection("no token was sent")
        # Starlette decodes headers as latin-1, so this returns the bytes that were sent. Only
        # HTTP's own blanks around them are no part of the token: to Python, 0xA0 is a blank, too.
        principal = self._tokens.principal_of(given.strip(" \t").encode("latin-1"))
        if principal is None:
            raise self._failure(request, "the token is wrong")
        return principal

    async def check_stream(self, request: Request) -> Principal:
        """Return the principal of a stream's token or, for browsers, of its ``?ticket=``.

        The ticket stays valid, so that no mistake in the rest of the request uses it up: call
        ``redeem`` once nothing else can fail.

        Raises:
            ApiError: 401 or 429 as in ``check``.
            BusError: the ticket cannot be looked up.
        """
        ticket = self._ticket_of(request)
        if ticket is None:
            return self.check(request)
        async with self._attempts.turn(request):
            found = await self._ask(self._tickets.look_up(ticket))
        # A ticket dies with its token, and loses the scopes that its token loses.
        principal = None if found is None else self._tokens.present(found)
        if principal is None:
            raise self._failure(request, _NO_TICKET)
        return principal

    async def redeem(self, request: Request) -> None:
        """Use up the ticket of a request, if it depends on one.

        Raises:
            ApiError: 401, another request has used the ticket meanwhile.
            BusError: Redis is unreachable. The ticket stays valid, unless Redis has executed the
                command and only its answer was lost.
        """
        ticket = self._ticket_of(request)
        # HEAD opens no stream.
        if ticket is None or request.method == "HEAD":
            return
        if await self._ask(self._tickets.redeem(ticket)) is None:
            raise _rejection(_NO_TICKET)

    async def keep_ticket(self, request: Request) -> None:
        """Give the ticket of a request that found no place its whole life again.

        An EventSource retries by itself with the same request, so with the same ticket.
        """
        ticket = self._ticket_of(request)
        if ticket is not None:
            with suppress(BusError):
                await self._tickets.renew(ticket)

    async def _ask(self, answer: Awaitable[Principal | None]) -> Principal | None:
        try:
            return await answer
        except BusBusyError:
            raise  # Redis may be well
        except BusError as error:
            # Redis' own words name its address or its user, and the sender has proved nothing yet.
            why = "is unreachable"
            if isinstance(error, BusRejectedError):
                why = f"rejects the command: {error.code}"
            raise BusError(f"tickets are stored in Redis, which {why}") from error

    async def issue_ticket(self, principal: Principal) -> str:
        """Return a new ticket for a principal.

        Raises:
            BusError: it cannot be stored.
        """
        return await self._tickets.issue(principal)

    def _failure(self, request: Request, message: str) -> ApiError:
        return self._attempts.on_failure(request) or _rejection(message)

    def _ticket_of(self, request: Request) -> str | None:
        """Return the ticket; None if there is none or the request does not depend on it."""
        if self._tokens.is_empty or "authorization" in request.headers:
            return None
        # Not by splitting the query, which may have 32,000 parameters: the sender has proved
        # nothing yet. No character of a ticket is escaped in a query.
        found = _TICKET.search(request.scope["query_string"])
        return found[1].decode("latin-1") if found is not None else None


def _rejection(message: str) -> ApiError:
    return ApiError(
        401,
        code="unauthorized",
        message=message,
        hint="send 'Authorization: Bearer <API_TOKEN>'; a browser first gets a ticket from "
        "POST /api/stream/ticket and adds ?ticket=",
        headers={"WWW-Authenticate": "Bearer"},
    )
