"""The errors for topics that a token or a ticket does not allow, with the remedy."""

from collections.abc import Sequence

from gateway.http.api_error import ApiError
from gateway.wire.principal import Principal
from shared.excerpt import cut


def denied_topics(principal: Principal, denied: Sequence[str]) -> ApiError:
    """Return the error for denied topics: missing scopes, or else a ticket for other topics."""
    if missing := principal.missing(denied):
        return denied_scopes(missing)
    return ApiError(
        403,
        code="topic_denied",
        message=f"the ticket is for other topics, not for {cut(' '.join(denied))}",
        hint="list them when you request the ticket: POST /api/stream/ticket",
    )


def denied_scopes(missing: Sequence[str]) -> ApiError:
    """Return the error for scopes that the token lacks."""
    return ApiError(
        403,
        code="scope_denied",
        message=f"the token has no scope {' '.join(missing)}",
        hint=f"use another token, or add {' '.join(missing)} to this one's scopes in API_TOKEN",
    )
