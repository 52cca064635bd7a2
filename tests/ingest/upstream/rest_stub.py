"""A REST server that says what a test wants, for what no honest Alpaca says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.http.server import Server
from ingest.upstream.alpaca_rest import AlpacaRest

Answer = Callable[[Request], Response | Awaitable[Response]]


class RestStub:
    """Answers each path by a function of the request; counts the requests."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        """By the last part of the path: ``snapshots``, ``bars``, ``trades``, ``positions``."""
        self.requests: list[Request] = []

    def of(self, name: str) -> list[Request]:
        """Return the requests to one path."""
        return [each for each in self.requests if each.url.path.endswith(f"/{name}")]

    async def respond(self, request: Request) -> Response:
        """Answer a request."""
        self.requests.append(request)
        answer = self.answers.get(request.url.path.rpartition("/")[2])
        if answer is None:
            return JSONResponse({"message": "not found"}, 404)
        response = answer(request)
        return await response if isinstance(response, Awaitable) else response


@asynccontextmanager
async def rest_stub(stub: RestStub) -> AsyncIterator[str]:
    """Serve a stub; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/{path:path}", stub.respond)])
    # Unlike uvicorn's own, this server stops at once, with all connections.
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def stubbed(
    stub: RestStub, feed: str = "iex", requests_per_minute: int = 200
) -> AsyncIterator[AlpacaRest]:
    """Serve a stub; yield a client of it."""
    async with rest_stub(stub) as url:
        rest = AlpacaRest(
            "key",
            "secret",
            data_url=url,
            trading_url=url,
            feed=feed,
            requests_per_minute=requests_per_minute,
        )
        try:
            yield rest
        finally:
            rest.close()


def symbols_of(request: Request) -> list[str]:
    """Return what a request asks for."""
    return request.query_params["symbols"].split(",")


def traded(request: Request) -> Response:
    """Answer with a snapshot of every symbol."""
    trade = {"t": "2026-11-16T17:00:00.5Z", "p": 5.5, "s": 1, "x": "V", "z": "B", "c": ["@"]}
    return JSONResponse({symbol: {"latestTrade": trade} for symbol in symbols_of(request)})


def printed(request: Request) -> Response:
    """Answer with a print of every symbol."""
    trade = {"t": "2026-11-16T17:00:00.5Z", "p": 5.5, "s": 1, "i": 1, "x": "V", "c": ["@"]}
    trades = {symbol: [trade] for symbol in symbols_of(request)}
    return JSONResponse({"trades": trades, "next_page_token": None})


def closed(request: Request) -> Response:
    """Answer with a daily bar of every symbol."""
    bar = {"t": "2026-11-13T05:00:00Z", "o": 1, "h": 1, "l": 1, "c": 4.5, "v": 1, "n": 1, "vw": 1}
    bars = {symbol: [bar] for symbol in symbols_of(request)}
    return JSONResponse({"bars": bars, "next_page_token": None})
