"""``POST /api/stream/ticket``: an EventSource cannot send a header, but it can send a ticket."""

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
from gateway.http.symbol_fields import PlainTopic
from gateway.http.ticket_budget import TicketBudgets
from shared.bus import keys
from shared.topics import InvalidTopicError, parse_topic

EXAMPLE = '{"topics": ["price:SPY", "news:*"]}'


class TicketFields(msgspec.Struct, forbid_unknown_fields=True):
    """The topics of a ticket.

    Unknown fields are rejected: a misspelt ``topics`` would give a ticket for everything.
    """

    topics: (
        Annotated[
            list[PlainTopic],
            Meta(description="topics as price:SPY,news:*; all that the token allows if omitted"),
        ]
        | UnsetType
    ) = UNSET


class Tickets:
    """Issues tickets. ``limit`` is the maximum number of topics of one."""

    def __init__(self, access: Access, budgets: TicketBudgets, *, limit: int) -> None:
        self._access = access
        self._budgets = budgets
        self._limit = limit

    async def issue(self, request: Request) -> Response:
        """``POST /api/stream/ticket``."""
        principal = self._access.check(request)
        topics = topics_of(await json_body.read(request), self._limit)
        if topics is not None:
            principal = replace(principal, topics=topics)
            allowed, denied = principal.divide(sorted(topics))
            # A ticket may name more than its token allows: ``hello`` lists the denied topics. One
            # that allows none of them would only fail later, and less clearly.
            if not allowed:
                raise denied_topics(principal, denied)
        self._budgets.spend(principal.name)
        ticket = await self._access.issue_ticket(principal)
        return json_response({"ticket": ticket, "expires_in": keys.TICKET_SECONDS}, 201)


def topics_of(body: bytes, limit: int) -> frozenset[str] | None:
    """Return the topics that a ticket is for; None for everything that the token allows.

    Raises:
        ApiError: 400, naming the wrong value.
    """
    asked = fields.from_json(body, TicketFields).topics
    if asked is UNSET:
        return None
    if not asked:
        raise ApiError(
            status=400,
            code="no_topics",
            message="topics is empty: such a ticket would open no stream",
            hint=EXAMPLE,
        )
    if len(asked) > limit:
        raise ApiError(
            status=400,
            code="too_many_topics",
            message=f"{len(asked)} topics were requested; one ticket allows at most {limit}",
            hint="get a second ticket for a second stream, or raise MAX_TOPICS_PER_CLIENT",
        )
    try:
        return frozenset(map(parse_topic, asked))
    except InvalidTopicError as error:
        raise ApiError(status=400, code="bad_topic", message=str(error), hint=EXAMPLE) from error
