"""The checks in front of the REST endpoints: keys, budget, faults, errors."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.account.order_request import TradingError
from simulator.faults.armed import ArmedFaults
from simulator.rest.budget import Budget
from simulator.rest.historical import ParameterError, RecentSipError
from simulator.streams.session import Terms

Answer: TypeAlias = Callable[[Request], Awaitable[Response]]

SIP_REFUSED: Final = "subscription does not permit querying recent SIP data"
RECENT_SIP: Final = 42_210_000
TOO_MANY: Final = 429


class ForbiddenError(Exception):
    """The plan does not include the requested data; the text is Alpaca's."""


class Guard:
    """Endpoints that share a request budget."""

    def __init__(
        self,
        terms: Terms,
        budget: Budget,
        armed: ArmedFaults,
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        """`pause` waits for seconds."""
        self._terms = terms
        self._budget = budget
        self._armed = armed
        self._pause = pause

    def route(self, path: str, answer: Answer, methods: Sequence[str] = ("GET",)) -> Route:
        """Return the route of an endpoint."""

        async def respond(request: Request) -> Response:
            if not self._authorized(request):
                return refused(401, "unauthorized.")
            within = self._budget.spend()
            fault = self._armed.take("request", request.url.path)
            if fault is not None and fault.delay_seconds:
                await self._pause(fault.delay_seconds)
            status = TOO_MANY if not within else None if fault is None else fault.code
            response = await _checked(answer, request) if status is None else failed(status)
            response.headers.update(self._budget.headers())
            if status == TOO_MANY:
                response.headers["X-Ratelimit-Remaining"] = "0"
            return response

        return Route(path, respond, methods=list(methods))

    def _authorized(self, request: Request) -> bool:
        sent = (
            request.headers.get("apca-api-key-id"),
            request.headers.get("apca-api-secret-key"),
        )
        return sent == (self._terms.key, self._terms.secret)


def refused(status: int, text: str) -> JSONResponse:
    """Return an error in Alpaca's shape."""
    return JSONResponse({"message": text}, status)


def failed(status: int) -> JSONResponse:
    """Return the response to a valid request that a fault or the budget rejects."""
    return refused(status, "too many requests." if status == TOO_MANY else "a simulated fault")


async def _checked(answer: Answer, request: Request) -> Response:
    try:
        return await answer(request)
    except RecentSipError:
        return JSONResponse({"code": RECENT_SIP, "message": SIP_REFUSED}, 403)
    except ForbiddenError as error:
        return refused(403, str(error))
    except ParameterError as error:
        return refused(400, str(error))
    except TradingError as error:
        return JSONResponse({"code": error.code, "message": str(error)}, error.status)
