"""The HTTP server sleeps until something happens: a stop, a request, the next ``Date``."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.http import server as server_module
from gateway.http.server import Server, make_server
from tests.gateway.portable import plain_server
from tests.limits import LIMIT_SECONDS
from tests.services import until

Make = Callable[[Any], Server]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Application:
    """Answers a request when the test lets it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.released = asyncio.Event()
        self.cancelled = False

    async def __call__(
        self, _scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.entered.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[tuple[asyncio.Task[None], str, int]]:
    """Run a server; yield its task, host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started)
        yield task, host, port
    finally:
        server.should_exit = True
        async with asyncio.timeout(LIMIT_SECONDS):
            await task


@pytest.fixture(params=[make_server, plain_server], ids=["transport", "portable"])
def make(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make sleeping an error, and the renewal of ``Date`` too rare to help."""
    monkeypatch.setattr(server_module, "DATE_SECONDS", 10 * LIMIT_SECONDS)

    sleep = asyncio.sleep

    async def forbidden(seconds: float) -> None:
        assert seconds == 0, f"it polls every {seconds:g} s"
        await sleep(0)

    return lambda: monkeypatch.setattr(asyncio, "sleep", forbidden)


async def test_an_idle_server_ends_when_it_is_asked_to(
    make: Make, no_polling: Callable[[], None]
) -> None:
    server = make(Application())
    async with serving(server) as (task, host, port):
        _, writer = await asyncio.open_connection(host, port)
        await until(lambda: bool(server.server_state.connections))
        no_polling()
        server.should_exit = True
        async with asyncio.timeout(LIMIT_SECONDS):
            await task
        assert not server.server_state.connections
        writer.close()


async def test_a_request_is_answered_before_the_server_ends(
    make: Make, no_polling: Callable[[], None]
) -> None:
    application = Application()
    server = make(application)
    async with serving(server) as (task, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(REQUEST)
        await application.entered.wait()
        no_polling()
        server.should_exit = True
        application.released.set()
        async with asyncio.timeout(LIMIT_SECONDS):
            answer = await reader.read()
            await task
        assert b"done" in answer
        writer.close()


async def test_a_request_that_does_not_end_is_cancelled_after_the_limit(make: Make) -> None:
    application = Application()
    server = make(application)
    server.config.timeout_graceful_shutdown = 0
    async with serving(server) as (task, host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(REQUEST)
        await application.entered.wait()
        with capture_logs() as lines:
            server.should_exit = True
            async with asyncio.timeout(LIMIT_SECONDS):
                await task
        await until(lambda: application.cancelled)
        assert [(line["event"], line["count"]) for line in lines] == [("requests_cancelled", 1)]
        writer.close()


async def test_the_date_of_responses_is_renewed(make: Make) -> None:
    server = make(Application())
    async with serving(server):
        [first] = [value for name, value in server.server_state.default_headers if name == b"date"]
        await until(lambda: (b"date", first) not in server.server_state.default_headers)


@pytest.mark.parametrize("iterations", range(6))
async def test_a_connection_that_is_being_accepted_during_the_stop_is_closed(
    make: Make, iterations: int
) -> None:
    server = make(Application())
    with socket.socket() as client:
        async with serving(server) as (_, host, port):
            # The kernel connects at once; the stop comes at another step of asyncio's acceptance.
            client.connect((host, port))
            for _ in range(iterations):
                await asyncio.sleep(0)

        client.settimeout(0)
        with suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(REQUEST)
            # A socket that still is open would raise BlockingIOError.
            assert client.recv(1) == b""
    gc.collect()  # warns of a transport that was dropped without being closed
