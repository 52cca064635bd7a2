"""Limits on the number of streams."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from starlette.requests import Request

from gateway.bus.stream_claims import StreamClaims
from gateway.http.api_error import ApiError
from gateway.http.client_address import counted_as
from gateway.wire.addresses import is_private
from gateway.wire.principal import Principal


class BusyError(ApiError):
    """No place is free. The client may try again after ``retry_ms``."""

    def __init__(self, message: str, hint: str, retry_ms: int) -> None:
        seconds = str(math.ceil(retry_ms / 1000))
        # Kept open for another request, the connection would occupy a file that a stream needs.
        super().__init__(
            429,
            code="busy",
            message=message,
            hint=hint,
            headers={"Retry-After": seconds, "Connection": "close"},
        )
        self.retry_ms = retry_ms


class Admission:
    """Counts the streams of this gateway, and claims them among those of all gateways.

    ``limit`` is the most streams here. ``retry_ms`` draws a separate time for each rejected client,
    so that they do not return together. ``on_full`` is called for each that ``limit`` rejects.
    ``spares_private``: addresses of private networks are not counted, because most of them are a
    proxy's that stands for all its users.
    """

    def __init__(
        self,
        limit: int,
        claims: StreamClaims,
        *,
        retry_ms: Callable[[], int],
        on_full: Callable[[], None],
        spares_private: bool = False,
    ) -> None:
        self.busy = 0
        self._limit = limit
        self._streams = 0
        self._claims = claims
        self._retry_ms = retry_ms
        self._spares_private = spares_private
        self._on_full = on_full

    def check_room(self) -> None:
        """Reject a request to a full gateway, before it costs the open streams anything.

        Raises:
            BusyError: ``MAX_CLIENTS`` streams are open here.
        """
        if self._streams >= self._limit:
            self._on_full()
            raise self._rejection(
                f"this gateway has {self._limit} streams open and accepts no more",
                "try again after Retry-After seconds; add gateways, or raise MAX_CLIENTS and the "
                "limit of open files",
            )

    async def admit(self, request: Request, principal: Principal) -> Callable[[], None]:
        """Reserve a place for a stream; return the function that gives it back.

        Raises:
            BusyError: there is no place.
        """
        # HEAD gets the headers of a stream but opens none.
        if request.method == "HEAD":
            return _nothing
        self.check_room()
        who = {"principal": principal.name, **self._address_of(request)}
        # A rejected or cancelled request gives its place back.
        with ExitStack() as undo:
            # Counted before the claim: other requests arrive while Redis is asked.
            self._streams += 1
            undo.callback(self._uncount)
            await self._claim(who)
            undo.pop_all()
        return partial(self._leave, who)

    def _uncount(self) -> None:
        self._streams -= 1

    def _address_of(self, request: Request) -> dict[str, str]:
        address = counted_as(request)
        return {} if self._spares_private and is_private(address) else {"address": address}

    async def _claim(self, who: Mapping[str, str]) -> None:
        full = await self._claims.claim(who)
        if full is not None:
            raise self._rejection(
                f"this {full} has reached its limit, MAX_STREAMS_PER_{full.upper()}",
                "close a stream, or try again after Retry-After seconds",
            )

    def _leave(self, who: Mapping[str, str]) -> None:
        self._uncount()
        self._claims.release(who)

    def _rejection(self, message: str, hint: str) -> BusyError:
        self.busy += 1
        return BusyError(message, hint, self._retry_ms())


def _nothing() -> None:
    pass
