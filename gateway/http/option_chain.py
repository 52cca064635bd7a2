"""``GET /api/options/{underlying}``: an option chain, from the ingest."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.ingest_requests import IngestRequests
from gateway.http import fields
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.date_forms import DATE
from gateway.http.held_rows import HeldRows
from gateway.http.piecewise_response import PiecewiseResponse
from gateway.wire.principal import MARKET
from shared.excerpt import excerpt
from shared.markets import STOCKS
from shared.option_chain import ContractType
from shared.request import CONTRACTS_AT_MOST, ChainReply, ChainRequest
from shared.symbols import InvalidSymbolError, symbol_of

PIECE = 64 * 1024
"""The bytes between which other requests and the streams have their turn."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Day = Annotated[str, Meta(extra_json_schema={"pattern": f"^{DATE}$"})]

_encode = msgspec.json.Encoder().encode


class ChainFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/options/{underlying}``."""

    expiration: (
        Annotated[
            Day, Meta(description="the last day of the contracts, as 2026-12-18; all if absent")
        ]
        | UnsetType
    ) = UNSET
    type: Annotated[ContractType, Meta(description="call or put; both if absent")] | UnsetType = (
        UNSET
    )


class OptionChainEndpoint:
    """The endpoint. It raises IngestRequestError if the ingest does not reply, and BusError.

    ``leads`` returns whether an ingest reports. If none does, nobody waits for one.
    """

    def __init__(
        self,
        access: Access,
        requests: IngestRequests,
        held: HeldRows,
        leads: Callable[[], bool],
    ) -> None:
        self._access = access
        self._requests = requests
        self._held = held
        self._leads = leads

    async def chain(self, request: Request) -> Response:
        """``GET /api/options/{underlying}?expiration=&type=``."""
        self._access.check(request, MARKET)
        query = fields.of_query(request, ChainFields)
        asked = ChainRequest(
            underlying=_underlying(request.path_params["underlying"]),
            expiration=None if query.expiration is UNSET else _day(query.expiration),
            type=None if query.type is UNSET else query.type,
        )
        with self._held.at_most(CONTRACTS_AT_MOST) as hold:
            reply = await (self._requests.ask if self._leads() else self._requests.kept)(asked)
            assert isinstance(reply, ChainReply)  # noqa: S101 - the kind of the request
            release = hold.keep(reply.count)
        return PiecewiseResponse(_pieces(asked, reply), release)


def _underlying(text: str) -> str:
    try:
        return symbol_of(text, (STOCKS,))
    except InvalidSymbolError as error:
        raise ApiError(
            400,
            code="bad_symbol",
            message=str(error),
            hint="the underlying is a stock, or the root of an index' options: /api/options/SPY",
        ) from error


def _day(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ApiError(
        400,
        code="bad_value",
        message=f"expiration={excerpt(text)} is not a date",
        hint="write expiration=2026-12-18",
    )


def _pieces(asked: ChainRequest, reply: ChainReply) -> Iterator[bytes]:
    """Yield the answer's JSON: that of ``answers.OptionChain``."""
    head = {
        "underlying": asked.underlying,
        "as_of": reply.as_of,
        "feed": reply.feed,
        "delayed": reply.delayed,
        "indicative": reply.indicative,
    }
    yield _encode(head)[:-1] + b',"contracts":'
    rows = memoryview(reply.contracts)
    for begin in range(0, len(rows), PIECE):
        yield bytes(rows[begin : begin + PIECE])
    yield b"}"
