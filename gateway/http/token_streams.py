"""``DELETE /api/tokens/{principal}/streams``: the end of all streams of a token, for operators."""

import re

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.stream_endings import StreamEndings
from gateway.http.access import Access
from gateway.http.answers import StreamsEnded
from gateway.http.api_error import ApiError
from gateway.http.json_response import json_response
from gateway.wire.principal import ADMIN
from gateway.wire.token_table import NAME
from shared.excerpt import excerpt

log = structlog.get_logger()


class TokenStreams:
    """Ends streams at all gateways."""

    def __init__(self, access: Access, endings: StreamEndings) -> None:
        self._access = access
        self._endings = endings

    async def end(self, request: Request) -> Response:
        """End the streams that a token has opened, by itself or by its tickets.

        Raises:
            BusError: not all gateways have confirmed it; the request may be repeated.
        """
        operator = self._access.check(request, ADMIN)
        principal = request.path_params["principal"]
        if not re.fullmatch(NAME, principal):
            raise ApiError(
                400,
                code="bad_principal",
                message=f"{excerpt(principal)} is not the name of a token",
                hint="the name is the first 12 digits of its SHA-256, as in the log's "
                'stream_opened: printf %s "$TOKEN" | sha256sum | cut -c-12',
            )
        ended = await self._endings.end(principal)
        log.info("streams_revoked", principal=principal, by=operator.name, streams=ended)
        return json_response(StreamsEnded(principal=principal, ended=ended))
