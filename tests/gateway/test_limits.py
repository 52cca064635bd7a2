"""Requests that are late, too large or no HTTP: answered in our form where that can be, and cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.http import limits
from gateway.http.api_error import answer_incomplete
from gateway.http.limits import BODY_BYTES, HEAD_BYTES, HEADERS
from gateway.http.listener import listen
from gateway.http.server import Server, make_server
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.peers import Peer, connected
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until

HEAD = b"HTTP/1.1\r\nHost: localhost\r\n"


class Running:
    """One of our servers with an application that reports the requests that reach it."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.seen: list[str] = []
        app = Starlette(
            routes=[
                Route("/length", self._length, methods=["POST"]),
                Route("/ignore", self._ignore, methods=["POST"]),
                Route("/never", self._never, methods=["POST"]),
            ],
            exception_handlers={ClientDisconnect: answer_incomplete},
        )
        self.server: Server = make_server(app)

    async def _length(self, request: Request) -> JSONResponse:
        self.seen += request.headers.keys()
        try:
            return JSONResponse({"length": len(await request.body())})
        except ClientDisconnect:
            self.left.append(request.url.path)
            raise

    async def _ignore(self, _: Request) -> JSONResponse:
        return JSONResponse({"ignored": True})

    async def _never(self, request: Request) -> JSONResponse:
        self.seen += request.headers.keys()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return JSONResponse({})


@asynccontextmanager
async def _running() -> AsyncIterator[tuple[str, Running]]:
    running, listener = Running(), listen("127.0.0.1", 0, patience_seconds=20)
    serving = asyncio.create_task(running.server.serve(sockets=[listener]))
    await until(lambda: running.server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", running
    finally:
        running.server.should_exit = True
        await serving


@pytest.fixture
async def served() -> AsyncIterator[tuple[str, Running]]:
    async with _running() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECEIVE_SECONDS", 0.5)


async def test_who_asks_for_nothing_is_let_go_without_a_word(
    impatient: None, served: tuple[str, Running]
) -> None:
    async with connected(served[0]) as peer:
        assert await peer.rest() == b""


async def test_a_head_that_comes_drop_by_drop_is_not_waited_for(
    impatient: None, served: tuple[str, Running]
) -> None:
    async def drip(peer: Peer) -> None:
        await peer.send(b"GET /length HTTP/1.1\r\n")
        while not peer.reader.at_eof():
            await peer.send(b"x: y\r\n")
            await asyncio.sleep(0.02)

    async with connected(served[0]) as peer, asyncio.TaskGroup() as tasks:
        dripping = tasks.create_task(drip(peer))
        assert await peer.refusal() == (
            408,
            "request_timeout",
            "the request was not complete after 0.5 s",
        )
        dripping.cancel()


async def test_a_body_that_does_not_come_is_refused_and_not_waited_for(
    impatient: None, served: tuple[str, Running], caplog: pytest.LogCaptureFixture
) -> None:
    url, running = served
    async with connected(url) as peer:
        await peer.send(b"POST /length " + HEAD + b"Content-Length: 9\r\n\r\nhalf")
        assert (await peer.refusal())[:2] == (408, "request_timeout")
        await until(lambda: not running.server.server_state.tasks)

    assert running.left == ["/length"]
    assert caplog.records == []


async def test_the_rest_of_a_body_that_nobody_needed_is_not_waited_for(
    impatient: None, served: tuple[str, Running]
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(b"POST /ignore " + HEAD + b"Content-Length: 9\r\n\r\nhalf")
        await peer.reader.readuntil(b'{"ignored":true}')
        await peer.send(b"alf")
        assert await peer.rest() == b""


async def test_an_answer_that_closes_the_connection_reaches_a_client_that_still_sends_its_body(
    served: tuple[str, Running],
) -> None:
    body = b"x" * BODY_BYTES
    async with connected(served[0]) as peer:
        head = b"POST /ignore " + HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n"
        await peer.send(head % len(body))
        await peer.reader.readuntil(b'{"ignored":true}')  # answered before the body
        await peer.send(body)  # more than the kernel keeps, and nobody has closed
        assert await peer.rest() == b""
    await until(lambda: not served[1].server.server_state.connections)


async def test_empty_lines_do_not_keep_a_connection_alive(
    impatient: None, served: tuple[str, Running]
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(b"POST /ignore " + HEAD + b"Content-Length: 0\r\n\r\n")
        await peer.reader.readuntil(b'{"ignored":true}')
        await peer.send(b"\r\n")
        assert (await peer.refusal())[:2] == (408, "request_timeout")


async def test_a_pipelined_request_has_its_time_after_the_answer_before_it(
    impatient: None, served: tuple[str, Running]
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(
            b"POST /ignore " + HEAD + b"Content-Length: 0\r\n\r\n"
            b"POST /length " + HEAD + b"Content-Length: 9\r\n\r\nhalf"
        )
        await peer.reader.readuntil(b'{"ignored":true}')
        assert (await peer.refusal())[:2] == (408, "request_timeout")


async def test_a_request_that_comes_in_time_is_answered_on_and_on(
    impatient: None, served: tuple[str, Running]
) -> None:
    async with connected(served[0]) as peer:
        loop = asyncio.get_running_loop()
        end = loop.time() + 3 * limits.RECEIVE_SECONDS
        while loop.time() < end:
            for part in (b"POST /le", b"ngth " + HEAD + b"Content-Length: 4\r\n\r\n", b"w", b"ord"):
                await peer.send(part)
                await asyncio.sleep(0.01)
            await peer.reader.readuntil(b'{"length":4}')


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /length HTTP/1.1\r\nx: " + b"y" * HEAD_BYTES,
        b"GET /length HTTP/1.1\r\n" + b"x: y\r\n" * (HEADERS + 2),
        b"GET /length HTTP/1.1\r\nx: " + b"y" * HEAD_BYTES + b"\r\n\r\n",
        b"\r\n" * HEAD_BYTES,
    ],
    ids=["one header", "many headers", "complete", "empty lines"],
)
async def test_a_head_that_is_too_large_is_refused(
    served: tuple[str, Running], sent: bytes
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(sent)
        assert await peer.refusal() == (
            431,
            "head_too_large",
            f"the request's head has more than {HEAD_BYTES} bytes or {HEADERS} headers",
        )


@pytest.mark.parametrize("end", [b"", b" " + HEAD + b"\r\n"], ids=["endless", "complete"])
async def test_a_url_that_is_too_long_is_told_apart(
    served: tuple[str, Running], end: bytes
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(b"GET /length?symbols=" + b"SPY," * (HEAD_BYTES // 4) + end)
        assert (await peer.refusal())[:2] == (414, "url_too_long")


@pytest.mark.parametrize("kind", ["announced", "chunked"])
async def test_a_body_that_is_too_large_is_refused_to_those_as_well_who_write_on(
    served: tuple[str, Running], kind: str
) -> None:
    url, running = served
    rest = b"x" * 32 * BODY_BYTES  # more than the kernel keeps for the two
    announced = b"Content-Length: %d\r\n\r\n" % len(rest)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(rest)
    async with connected(url) as peer:
        await peer.send(b"POST /length " + HEAD + (announced if kind == "announced" else chunked))
        await peer.send(rest)  # a client that looks for an answer only when it has sent all
        assert await peer.refusal() == (
            413,
            "body_too_large",
            f"the request's body has more than {BODY_BYTES} bytes",
        )
        await until(lambda: not running.server.server_state.tasks)


async def test_what_is_as_large_as_may_be_is_served(served: tuple[str, Running]) -> None:
    async with httpx.AsyncClient(base_url=served[0]) as client:
        body = await client.post("/length", content=b"x" * BODY_BYTES)
        head = await client.post("/length", headers={"x": "y" * (HEAD_BYTES - 1000)})

    assert (body.json(), head.json()) == ({"length": BODY_BYTES}, {"length": 0})


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
        b"GET\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT x:80 " + HEAD + b"\r\n",
        b"POST /length " + HEAD + b"Content-Length: -1\r\n\r\n",
        b"POST /length " + HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /length HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /length HTTP/0.9\r\n\r\n",
        b"GET /length\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_our_form(
    served: tuple[str, Running], sent: bytes
) -> None:
    async with connected(served[0]) as peer:
        await peer.send(sent)
        status, code, message = await peer.refusal()

    assert (status, code) == (400, "bad_http")
    assert message.startswith("this is not HTTP/1.1: ")


async def test_an_upgrade_that_is_not_offered_is_passed_over(
    served: tuple[str, Running], caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    async with connected(served[0]) as peer:
        await peer.send(b"POST /ignore " + HEAD + upgrade + b"Content-Length: 0\r\n\r\n")
        await peer.reader.readuntil(b'{"ignored":true}')

    assert caplog.records == []


async def test_what_follows_a_chunked_body_becomes_no_header(
    served: tuple[str, Running],
) -> None:
    url, running = served
    async with connected(url) as peer:
        await peer.send(
            b"POST /length " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhi\r\n0\r\nAuthorization: Bearer smuggled\r\n\r\n"
        )
        await peer.reader.readuntil(b'{"length":2}')

    assert "authorization" not in running.seen


@pytest.mark.parametrize(
    "more",
    [b"\x16\x03\x01\x00\xa5", b"GET / " + HEAD + b"x: " + b"y" * HEAD_BYTES],
    ids=["garbage", "a head that is too large"],
)
async def test_a_refusal_is_not_written_where_another_answer_is_due(
    served: tuple[str, Running], more: bytes
) -> None:
    url, running = served
    async with connected(url) as peer:
        await peer.send(b"POST /never " + HEAD + b"Content-Length: 0\r\n\r\n")
        await until(lambda: "host" in running.seen)
        await peer.send(more)
        assert await peer.rest() == b""
        await until(lambda: not running.server.server_state.connections)


async def test_who_asks_for_very_much_at_once_is_cut(served: tuple[str, Running]) -> None:
    url, running = served
    async with connected(url) as peer:
        await peer.send((b"POST /ignore " + HEAD + b"Content-Length: 0\r\n\r\n") * 2000)
        assert (await peer.rest()).count(b"ignored") < 20
        await until(lambda: not running.server.server_state.connections)


@asynccontextmanager
async def _gateway() -> AsyncIterator[str]:
    """Run a gateway with many heartbeats; yield its URL once it serves."""
    async with running_gateway(RedisSource("memory://"), heartbeat_seconds=0.1) as url:
        async with httpx.AsyncClient() as client:
            await client.get(f"{url}/healthz")
        yield url


async def test_a_stream_lives_longer_than_any_request_may_take(
    impatient: None,
) -> None:
    async with _gateway() as url, open_stream(url, symbols="SPY") as stream:
        await stream.until_kind("heartbeat", 10)
        assert not stream.ended


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        (b"", b"\r\n\r\n"),
        (b"", b"GET /hea"),
        (b"", b"POST /api/stream/ticket " + HEAD + b"Content-Length: 9\r\n\r\nhalf"),
        (b"Content-Length: 9\r\n", b"half"),
        (b"", b"\x16\x03\x01\x00\xa5"),
        (b"", b"GET / " + HEAD + b"x: " + b"y" * HEAD_BYTES),
    ],
    ids=["empty lines", "half a head", "half a body", "half its own body", "garbage", "much"],
)
async def test_what_a_client_writes_on_its_stream_does_not_end_it(
    impatient: None, headers: bytes, more: bytes
) -> None:
    async with _gateway() as url, connected(url) as peer:
        await peer.send(b"GET /api/stream/prices?symbols=SPY " + HEAD + headers + b"\r\n")
        await peer.reader.readuntil(b"event: ready")
        await peer.send(more)
        async with asyncio.timeout(LIMIT_SECONDS):
            for _ in range(10):
                await peer.reader.readuntil(b"event: heartbeat")


async def test_a_client_that_sent_more_than_its_stream_needed_is_missed_when_it_goes() -> None:
    source = RedisSource("memory://")
    async with gateway_with_hub(source, heartbeat_seconds=300) as (url, hub):
        async with connected(url) as peer:
            length = b"Content-Length: %d\r\n\r\n" % (BODY_BYTES // 2)
            await peer.send(b"GET /api/stream/prices?symbols=SPY " + HEAD + length)
            await peer.send(b"x" * (BODY_BYTES // 2))
            await peer.reader.readuntil(b"event: ready")
        await until(lambda: not hub.clients)
