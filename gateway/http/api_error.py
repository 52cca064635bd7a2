"""Refusals: one JSON form for all, naming the value and the remedy."""

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from shared.bus.errors import BusRejectedError, BusUnreachableError

_encode = msgspec.json.Encoder().encode


class ApiError(Exception):
    """A request that cannot be served. ``message`` names the value, ``hint`` the remedy."""

    def __init__(
        self,
        status: int,
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
        return Response(
            _encode({"error": error}),
            self.status,
            {"Cache-Control": "no-store", **(self.headers or {})},
            "application/json",
        )


async def answer_api_error(_: Request, error: Exception) -> Response:
    """Answer an ``ApiError``."""
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette looks handlers up by type
    return error.response()


async def answer_bus_error(_: Request, error: Exception) -> Response:
    """Answer a ``BusError`` with 503: every request that can raise one may be repeated."""
    match error:
        case BusUnreachableError():
            message = f"Redis is unreachable: {error}"
        case BusRejectedError():
            message = f"Redis rejected a command: {error}"
        case _:  # its own words suffice
            message = str(error)
    return ApiError(
        status=503,
        code="redis_unavailable",
        message=message,
        hint="try again in a moment; /readyz reports when Redis is reachable again",
        headers={"Retry-After": "2"},
    ).response()


async def answer_nobody(_: Request, __: Exception) -> Response:
    """End a request whose body never became whole: the peer has gone, or was refused."""
    return Response(status_code=400)  # which nobody gets


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path, a method that a path does not have.

    OPTIONS is one of these: it is told the others.
    """
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette looks handlers up by type
    asked = f"{request.method} {request.url.path}"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        served = ", ".join(_methods_of(request))
        headers["Allow"] = f"{served}, OPTIONS"
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        refusal = ApiError(405, "wrong_method", f"{asked} is not served", f"use {served}", headers)
    elif error.status_code == 404:
        refusal = ApiError(
            404, "unknown_path", f"{asked} is not served", "see docs/reference.md", headers
        )
    else:
        refusal = ApiError(error.status_code, "refused", error.detail, "", headers)
    return refusal.response()


def _methods_of(request: Request) -> list[str]:
    """Return the methods of all routes that a request's path leads to."""
    routes: list[Route] = request.app.routes
    found = (r.methods or set() for r in routes if r.matches(request.scope)[0] is not Match.NONE)
    return sorted(set().union(*found))
