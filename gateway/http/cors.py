"""Cross-origin access for pages (``CORS_ORIGINS``)."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from gateway.http.api_error import ApiError
from shared.excerpt import excerpt

METHODS = ("GET", "HEAD", "POST", "PATCH", "OPTIONS")
HEADERS = ("authorization", "content-type", "last-event-id", "cache-control")
MAX_AGE_SECONDS = 7200
"""How long a browser may remember a permission; Chromium caps it here."""


class Cors(CORSMiddleware):
    """Starlette's middleware, with errors in our form. Streams bypass it by the transport."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        headers = response.headers.items()
        kept = {name: value for name, value in headers if not name.startswith("content-")}
        return ApiError(
            400,
            code="cors_refused",
            message=f"{bytes(response.body).decode()}: "
            f"{excerpt(request_headers['origin'], 60)} asks for "
            f"{excerpt(request_headers['access-control-request-method'], 40)}",
            hint="CORS_ORIGINS lists the origins; they may use the methods "
            f"{', '.join(METHODS)} and the headers {', '.join(HEADERS)}",
            headers=kept,
        ).response()


def cors(origins: Sequence[str]) -> list[Middleware]:
    """Return the middleware for these origins, ``*`` for all: none where there are none."""
    if not origins:
        return []
    return [
        Middleware(
            Cors,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=HEADERS,
            allow_credentials="*" not in origins,
            expose_headers=("retry-after",),
            max_age=MAX_AGE_SECONDS,
        )
    ]
