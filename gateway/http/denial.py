"""What a token or a ticket does not allow, with the remedy."""

from collections.abc import Sequence

from gateway.http.api_error import ApiError
from gateway.wire.principal import Principal


def denied_topics(principal: Principal, denied: Sequence[str]) -> ApiError:
    """Return the refusal of topics: by the scopes that the token lacks, or else by the ticket."""
    if missing := principal.missing(denied):
        return denied_scopes(missing)
    return ApiError(
        403,
        "topic_denied",
        f"the ticket is for other topics, not for {' '.join(denied)}",
        "name them when the ticket is issued: POST /api/stream/ticket",
    )


def denied_scopes(missing: Sequence[str]) -> ApiError:
    """Return the refusal of what needs other scopes than the token has."""
    return ApiError(
        403,
        "scope_denied",
        f"the token has no scope {' '.join(missing)}",
        f"use another token, or add {' '.join(missing)} to the scopes after this one in API_TOKEN",
    )
