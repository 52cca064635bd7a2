"""Who may read: a bearer token for scripts, a single-use ticket for browsers."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.requests import Request

from gateway.http.api_error import ApiError
from shared import keys
from shared.redis_source import REDIS_ERRORS

TICKET_SECONDS = 30


class Access:
    """Checks requests against ``API_TOKEN``; without a token (loopback only) all are let in."""

    def __init__(self, tokens: Sequence[SecretStr], client: Redis) -> None:
        self._tokens = [token.get_secret_value().encode() for token in tokens]
        self._client = client

    def check(self, request: Request) -> None:
        """Let a request with the right bearer token in.

        Raises:
            ApiError: 401, saying what was missing or wrong, never what would be right.
        """
        if not self._tokens:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise _refusal("no token was sent")
        sent = given.strip().encode("latin-1")  # the header's bytes, which Starlette decoded so
        # Every comparison runs, so that time tells neither which token nor how far it agreed.
        matches = [hmac.compare_digest(sent, token) for token in self._tokens]
        if not any(matches):
            raise _refusal("the token is wrong")

    async def check_stream(self, request: Request) -> None:
        """Let a stream in by token or, where a browser cannot send one, by ``?ticket=``.

        Raises:
            ApiError: 401 as in ``check``; 503 when the ticket cannot be looked up.
        """
        ticket = request.query_params.get("ticket")
        if not self._tokens or "authorization" in request.headers or ticket is None:
            self.check(request)
            return
        # HEAD opens no stream, so it must not use the ticket up.
        look_up = self._client.get if request.method == "HEAD" else self._client.getdel
        try:
            known = await look_up(_key_of(ticket))
        except REDIS_ERRORS as error:
            raise _no_redis() from error
        if known is None:
            raise _refusal("the ticket is unknown, used or older than 30 s")

    async def issue_ticket(self) -> str:
        """Return a new ticket; only its hash is stored.

        Raises:
            ApiError: 503 when it cannot be stored.
        """
        ticket = secrets.token_urlsafe(24)
        try:
            await self._client.set(_key_of(ticket), b"{}", ex=TICKET_SECONDS)
        except REDIS_ERRORS as error:
            raise _no_redis() from error
        return ticket


def _key_of(ticket: str) -> str:
    return keys.ticket_key(hashlib.sha256(ticket.encode()).hexdigest())


def _refusal(message: str) -> ApiError:
    return ApiError(
        401,
        "unauthorized",
        message,
        "send 'Authorization: Bearer <API_TOKEN>'; a browser first gets a ticket from "
        "POST /api/stream/ticket and adds ?ticket=",
        {"WWW-Authenticate": "Bearer"},
    )


def _no_redis() -> ApiError:
    return ApiError(
        503,
        "redis_unavailable",
        "tickets are kept in Redis, which does not answer",
        "try again in a moment",
        {"Retry-After": "2"},
    )
