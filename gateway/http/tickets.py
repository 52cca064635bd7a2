"""``POST /api/stream/ticket``: what lets a browser's EventSource in."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import fields, json_body
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.denial import denied_topics
from gateway.http.json_response import json_response
from gateway.http.stream_fields import PlainTopic
from shared.bus import keys
from shared.topics import InvalidTopicError, parse_topic

EXAMPLE = '{"topics": ["price:SPY", "news:*"]}'


class TicketFields(msgspec.Struct, forbid_unknown_fields=True):
    """What a ticket may be for. A misspelt field must not lead to one for everything."""

    topics: (
        Annotated[
            list[PlainTopic],
            Meta(description="topics as price:SPY,news:*; whatever the token may watch without"),
        ]
        | UnsetType
    ) = UNSET


class Tickets:
    """Issues tickets. ``limit`` is the most topics of one."""

    def __init__(self, access: Access, *, limit: int) -> None:
        self._access = access
        self._limit = limit

    async def issue(self, request: Request) -> Response:
        """``POST /api/stream/ticket``."""
        principal = self._access.check(request)
        topics = topics_of(await json_body.read(request), self._limit)
        if topics is not None:
            principal = replace(principal, topics=topics)
            allowed, denied = principal.divide(sorted(topics))
            if not allowed:
                raise denied_topics(principal, denied)
        ticket = await self._access.issue_ticket(principal)
        return json_response({"ticket": ticket, "expires_in": keys.TICKET_SECONDS}, 201)


def topics_of(body: bytes, limit: int) -> frozenset[str] | None:
    """Return the topics that a ticket is to be for; None for whatever the token may watch.

    Raises:
        ApiError: 400 with the value that is wrong.
    """
    asked = fields.from_json(body, TicketFields).topics
    if asked is UNSET:
        return None
    if not asked:
        raise ApiError(
            400, "no_topics", "topics is empty: such a ticket would open nothing", EXAMPLE
        )
    if len(asked) > limit:
        raise ApiError(
            400,
            "too_many_topics",
            f"{len(asked)} topics were asked for; one ticket takes {limit}",
            "get a second ticket for a second stream, or raise MAX_TOPICS_PER_CLIENT",
        )
    try:
        return frozenset(map(parse_topic, asked))
    except InvalidTopicError as error:
        raise ApiError(400, "bad_topic", str(error), EXAMPLE) from error
