"""The simulator's own endpoints, for people and other processes; they need no keys."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.faults.catalogue import Faults
from simulator.faults.fault_requests import strike


def routes(
    state: Callable[[], Mapping[str, object]],
    faults: Faults,
    publish: Callable[[bytes], int],
) -> list[Route]:
    """Return the route table; `publish` gets a body and returns the number of messages.

    `strike` and `publish` raise ValueError for a bad body: 400 with its text.
    """

    async def show(_request: Request) -> Response:
        return JSONResponse(dict(state()))

    async def fail(request: Request) -> Response:
        return _answered(lambda body: strike(faults, body), await request.body())

    async def send(request: Request) -> Response:
        return _answered(lambda body: {"published": publish(body)}, await request.body())

    return [
        Route("/simulator/state", show, methods=["GET"]),
        Route("/simulator/faults", fail, methods=["POST"]),
        Route("/simulator/publish", send, methods=["POST"]),
    ]


def _answered(do: Callable[[bytes], Mapping[str, object]], body: bytes) -> Response:
    try:
        return JSONResponse(dict(do(body)))
    except ValueError as error:
        return JSONResponse({"message": str(error)}, 400)
