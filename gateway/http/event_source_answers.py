"""Rejections that an EventSource survives: a stream that ends at once, with a time to come back.

An EventSource gives up permanently on any status but 200. After such a stream it retries.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.admission import BusyError
from gateway.http.api_error import answer_bus_error
from gateway.http.stream_response import bye_alone
from gateway.wire.events import Bye, ByeReason
from shared.bus.errors import BusRejectedError
from shared.bus.rejections import Rejections
from shared.event_id import EventId

REQUESTS = "commands for requests of clients"


class EventSourceAnswers:
    """Answers requests that may succeed later.

    ``newest`` gives the highest event id seen; ``retry_ms`` draws a separate time for each client
    of a gateway that cannot reach Redis, so that they do not return together. ``rejections`` notes
    that Redis rejects what requests need.
    """

    def __init__(
        self,
        *,
        newest: Callable[[], EventId],
        retry_ms: Callable[[], int],
        rejections: Rejections,
    ) -> None:
        self._newest = newest
        self._rejections = rejections
        self._retry_ms = retry_ms

    async def busy(self, request: Request, error: Exception) -> Response:
        """Answer a ``BusyError``: 429, or ``bye`` ``busy`` for an EventSource."""
        assert isinstance(error, BusyError)  # noqa: S101 - Starlette looks handlers up by type
        if not _is_event_source(request):
            return error.response()
        return self._bye("busy", error.retry_ms)

    async def bus_error(self, request: Request, error: Exception) -> Response:
        """Answer a ``BusError``: 503, or ``bye`` ``unavailable`` for an EventSource."""
        # Clients are not the ones who can give Redis memory, or its user a right.
        rejected = error if isinstance(error, BusRejectedError) else error.__cause__
        if isinstance(rejected, BusRejectedError):
            self._rejections.on_rejected(REQUESTS, rejected)
        if not _is_event_source(request):
            return await answer_bus_error(request, error)
        return self._bye("unavailable", self._retry_ms())

    def _bye(self, reason: ByeReason, retry_ms: int) -> Response:
        return bye_alone(Bye(str(self._newest()), reason, retry_ms))


def _is_event_source(request: Request) -> bool:
    # EventSource always accepts this type; a script that does not shows the error to its author.
    return "text/event-stream" in request.headers.get("accept", "")
