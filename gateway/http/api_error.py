"""Errors: one JSON form for all, with the offending value and the remedy."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from gateway.bus.ingest_requests import (
    IngestRequestError,
    NoIngestError,
    RequestFailedError,
    RequestTimeoutError,
    TooManyRequestsError,
)
from gateway.http.json_response import json_response
from shared.bus.errors import BusBusyError, BusRejectedError, BusUnreachableError
from shared.excerpt import cut


class ApiError(Exception):
    """A request that cannot be served. ``message`` names the value, ``hint`` the remedy."""

    def __init__(
        self,
        status: int,
        *,
        code: str,
        message: str,
        hint: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = headers

    def response(self) -> Response:
        """Return it as ``{"error": {"code", "message", "hint"}}``."""
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        return json_response({"error": error}, self.status, self.headers)


async def answer_api_error(_: Request, error: Exception) -> Response:
    """Answer an ``ApiError``."""
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette looks handlers up by type
    return error.response()


async def answer_bus_error(_: Request, error: Exception) -> Response:
    """Answer a ``BusError`` with 503: every request that can raise one may be repeated."""
    code, hint = "redis_unavailable", "; /readyz reports when Redis is reachable again"
    match error:
        case BusBusyError():
            code, hint, message = "redis_busy", "", str(error)
        case BusUnreachableError():
            message = f"Redis is unreachable: {error}"
        case BusRejectedError():
            message = f"Redis rejected a command: {error}"
        case _:  # its own words suffice
            message = str(error)
    return ApiError(
        status=503,
        code=code,
        message=message,
        hint=f"try again in a moment{hint}",
        headers={"Retry-After": "2"},
    ).response()


_NO_INGEST_HINT = (
    "try again once /readyz shows that the feed is no longer down; the newest bars alone (no "
    "start, no end, adjustment=split) need no ingest"
)

_OF_INGEST: Mapping[type[IngestRequestError], tuple[int, str, str]] = MappingProxyType(
    {
        NoIngestError: (
            503,
            "no_ingest",
            _NO_INGEST_HINT,
        ),
        RequestTimeoutError: (504, "ingest_timeout", "try again in a moment, or ask for less"),
        TooManyRequestsError: (429, "ingest_busy", "try again in a moment"),
        RequestFailedError: (502, "upstream_failed", "try again in a moment, or ask for less"),
    }
)
"""Status, code and hint of each error of a request to the ingest."""


_UNSUPPORTED = 400, "unsupported", "ask for something else: repeating the request changes nothing"


async def answer_ingest_request_error(_: Request, error: Exception) -> Response:
    """Answer an error of a request that the gateway has passed on to the ingest."""
    assert isinstance(error, IngestRequestError)  # noqa: S101 - Starlette looks handlers up by type
    status, code, hint = _OF_INGEST[type(error)]
    if isinstance(error, RequestFailedError) and error.code == "unsupported":
        status, code, hint = _UNSUPPORTED
    return ApiError(
        status, code=code, message=str(error), hint=hint, headers={"Retry-After": "2"}
    ).response()


async def answer_incomplete(_: Request, __: Exception) -> Response:
    """End a request whose body stayed incomplete: the peer has gone, or was rejected."""
    return Response(status_code=400)  # never sent: the connection is closed


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer a request that the router rejects: an unknown path, or a method that a path lacks.

    OPTIONS is one of these methods: its answer lists the others.
    """
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette looks handlers up by type
    asked = f"{cut(request.method, 20)} {cut(request.scope['path'], 80)}"
    headers = dict(error.headers or {})
    # Starlette lists the methods of the first route that matches a path. Several routes may.
    if error.status_code == 405:
        served = ", ".join(_methods_of(request))
        headers["Allow"] = f"{served}, OPTIONS"
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        rejection = ApiError(
            405,
            code="wrong_method",
            message=f"{asked} is not served",
            hint=f"use {served}",
            headers=headers,
        )
    elif error.status_code == 404:
        rejection = ApiError(
            404,
            code="unknown_path",
            message=f"{asked} is not served",
            hint=_path_hint(request),
            headers=headers,
        )
    else:
        rejection = ApiError(
            error.status_code, code="refused", message=error.detail, hint="", headers=headers
        )
    return rejection.response()


def _path_hint(request: Request) -> str:
    """Return the remedy for an unknown path: often only the slash at its end is wrong."""
    bare = request.url.path.rstrip("/")
    scope = {**request.scope, "path": bare}
    routes: list[Route] = request.app.routes
    if bare != request.url.path and any(r.matches(scope)[0] is not Match.NONE for r in routes):
        return f"write {bare} without the slash at the end"
    return "see docs/reference.md"


def _methods_of(request: Request) -> list[str]:
    """Return the methods of all routes that a request's path leads to."""
    routes: list[Route] = request.app.routes
    found = (r.methods or set() for r in routes if r.matches(request.scope)[0] is not Match.NONE)
    return sorted(set().union(*found))
