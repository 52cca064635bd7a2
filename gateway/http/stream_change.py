"""``PATCH /api/stream/{stream_id}``: other topics for a running stream, at any gateway."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.bus.stream_changes import Problem, StreamChanges
from gateway.http import fields, json_body
from gateway.http.access import Access
from gateway.http.answers import StreamChanged
from gateway.http.api_error import ApiError
from gateway.http.audit_log import AuditLog
from gateway.http.denial import denied_topics
from gateway.http.invented_symbols import invented_symbols
from gateway.http.json_response import json_response
from gateway.http.stream_fields import Interval
from gateway.http.stream_request import StreamRequests, plain_topics
from gateway.http.symbol_fields import PlainTopic, Topic
from gateway.wire.principal import Principal
from gateway.wire.stream_id import StreamId
from shared.topics import has_interval


class ChangeFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The changes of a stream. A misspelt field must not look like a change that was made."""

    add: Annotated[list[Topic], Meta(description="topics as price:IBM,quote:SPY@1")] | UnsetType = (
        UNSET
    )
    remove: Annotated[list[PlainTopic], Meta(description="topics as price:SPY")] | UnsetType = UNSET
    interval: Interval | UnsetType = UNSET


class StreamChange:
    """Changes streams, whichever gateway serves them.

    ``is_invented`` returns whether a symbol's data are invented.
    """

    def __init__(
        self,
        access: Access,
        audit: AuditLog,
        changes: StreamChanges,
        requests: StreamRequests,
        is_invented: Callable[[str], bool],
    ) -> None:
        self._access = access
        self._audit = audit
        self._changes = changes
        self._requests = requests
        self._is_invented = is_invented

    async def change(self, request: Request) -> Response:
        """Add and remove topics, possibly none, and answer with the topics that result."""
        with self._audit.rejections(request) as sender:
            # A sender that has proved nothing costs no more than its head.
            sender.principal = principal = await self._access.check_stream(request)
            return await self._change_for(principal, request)

    async def _change_for(self, principal: Principal, request: Request) -> Response:
        asked = fields.from_json(await json_body.read(request), ChangeFields)
        add = self._requests.intervals_of(asked.add or [], asked.interval)
        remove = plain_topics(asked.remove or [])
        # A ticket for other topics must not empty the stream of another client of its token either.
        _, denied = principal.divide([*add, *remove])
        if denied:
            raise denied_topics(principal, denied)
        # After all of it was read, so that a mistake does not use up the ticket.
        await self._access.redeem(request)
        stream_id = request.path_params["stream_id"]
        changed = await self._changes.change(stream_id, principal.name, add, remove)
        if changed.problem is not None:
            raise _rejection(changed.problem, stream_id)
        self._audit.on_changed(request, stream_id, principal, added=len(add), removed=len(remove))
        # Nor learn which other topics that stream has.
        topics, _ = principal.divide(list(changed.intervals))
        # As in ``hello``: some topics have no interval to report.
        chosen = {topic: changed.intervals[topic] for topic in topics if has_interval(topic)}
        answer = StreamChanged(
            stream_id=stream_id,
            topics=list(topics),
            intervals=chosen,
            invented=invented_symbols(topics, self._is_invented),
        )
        return json_response(answer)


class ChangeRoute(Route):
    """The paths of running streams: ``/api/stream/prices`` and the like are not among them."""

    def matches(self, scope: Scope) -> tuple[Match, Any]:
        """Match a path that ends in the id of a stream."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            # A PATCH of /api/stream/prices must stay a wrong method, not an unknown stream.
            try:
                StreamId.parse(child_scope["path_params"]["stream_id"])
            except ValueError:
                return Match.NONE, {}
        return match, child_scope


def _rejection(problem: Problem, stream_id: str) -> ApiError:
    if problem == "unknown_stream":
        return ApiError(
            404,
            code="unknown_stream",
            message=f"no stream {stream_id} belongs to this token",
            hint="use the stream_id of the newest hello: it changes when a stream reconnects",
        )
    if problem == "not_ready":
        return ApiError(
            409,
            code="not_ready",
            message=f"{stream_id} has not started yet",
            hint="wait for its ready event",
        )
    if problem == "no_topics":
        return ApiError(
            400,
            code="no_topics",
            message=f"{stream_id} would have no topics left",
            hint="close it instead",
        )
    return ApiError(
        400,
        code="too_many_topics",
        message=f"{stream_id} would exceed the limit of topics for one stream",
        hint="remove some, open a second stream, or raise MAX_TOPICS_PER_CLIENT",
    )
