"""The connection to Alpaca, against the simulator, and against peers that misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection

from ingest.alpaca import messages as wire
from ingest.alpaca.unreadable import BadFrameError
from ingest.demand.subscription import SubscriptionChange
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.reconnect_pace import PATIENCE, Patience
from ingest.upstream.upstream_error import Retry, UpstreamError
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.peers import (
    AUTHENTICATED,
    WELCOME,
    Script,
    answering,
    http_answer,
    packed,
    saying,
    websocket_server,
)
from tests.limits import LIMIT_SECONDS
from tests.services import until
from tests.simulator.client import endpoint_state

QUIET = SimulatorSettings(tape=None, positions=(), ghost_seconds=90)


def stream_to(
    simulator: Simulator, feed: str = "iex", secret: str = DEFAULT_SECRET
) -> AlpacaStream:
    return AlpacaStream(f"{simulator.stream_url}/v2/{feed}", DEFAULT_KEY, secret)


@asynccontextmanager
async def opened(stream: AlpacaStream) -> AsyncIterator[AlpacaStream]:
    await stream.open()
    try:
        yield stream
    finally:
        await stream.shut()


async def messages(stream: AlpacaStream) -> list[Any]:
    """Return the next frame's messages."""
    return wire.decode(await stream.frame())


def subscribe(*symbols: str) -> SubscriptionChange:
    return SubscriptionChange("subscribe", "trades", symbols)


async def refusal(url: str, patience: Patience = PATIENCE[0]) -> UpstreamError:
    """Open a connection that must be refused within the limit, and return why."""
    async with asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(UpstreamError) as caught:
            await AlpacaStream(url, "key", "secret").open(patience)
    return caught.value


async def test_subscribed_trades_come_in_whole_frames_with_all_their_nanoseconds() -> None:
    async with Simulator(QUIET) as simulator, opened(stream_to(simulator)) as stream:
        await stream.change(subscribe("SPY", "IBM"))
        assert [type(each) for each in await messages(stream)] == [wire.Subscribed]
        await simulator.publish(
            {"T": "t", "S": "SPY", "p": 1.5, "s": 2, "t": "2026-11-16T17:00:00.123456789Z"}
        )

        (trade,) = await messages(stream)
        assert (trade.symbol, trade.price) == ("SPY", 1.5)
        assert wire.nanoseconds(trade.time) % 1_000_000_000 == 123_456_789


async def test_a_change_adds_or_takes_only_what_it_names() -> None:
    async with Simulator(QUIET) as simulator, opened(stream_to(simulator)) as stream:
        await stream.change(subscribe("SPY", "IBM"))
        await stream.change(subscribe("BAC"))
        await stream.change(SubscriptionChange("unsubscribe", "trades", ("SPY",)))

        answers = [(await messages(stream))[0].trades for _ in range(3)]
        assert answers == [["SPY", "IBM"], ["SPY", "IBM", "BAC"], ["IBM", "BAC"]]


async def test_shutting_frees_the_slot_at_once() -> None:
    async with Simulator(QUIET) as simulator:
        for _ in range(3):
            async with opened(stream_to(simulator)):
                assert endpoint_state(simulator)["sessions"] == 1
        await until(lambda: endpoint_state(simulator)["connections"] == 0)

        assert endpoint_state(simulator)["sessions_total"] == 3
        assert endpoint_state(simulator)["refused"] == {}


async def test_a_greeting_uses_no_slot_and_says_whether_alpaca_can_be_reached() -> None:
    async with Simulator(QUIET) as simulator, opened(stream_to(simulator)):
        assert await stream_to(simulator).greets()
        state = endpoint_state(simulator)
        assert (state["sessions_total"], state["refused"]) == (1, {})

        simulator.faults.refuse_upgrade("iex", status=503)
        assert not await stream_to(simulator).greets()
    assert not await stream_to(simulator).greets()


async def test_a_ping_is_answered_after_all_that_was_sent_before_and_not_by_a_dead_peer() -> None:
    async with Simulator(QUIET) as simulator, opened(stream_to(simulator)) as stream:
        await stream.change(subscribe("SPY"))
        assert await stream.is_answering(LIMIT_SECONDS)
        assert [type(each) for each in await messages(stream)] == [wire.Subscribed]

        simulator.faults.half_open("iex")
        assert not await stream.is_answering(0.1)


async def test_shutting_twice_or_before_opening_is_fine() -> None:
    async with Simulator(QUIET) as simulator:
        stream = stream_to(simulator)
        await stream.shut()
        await stream.open()
        await stream.shut()
        await stream.shut()


async def test_wrong_keys_keep_their_code_and_leave_no_socket() -> None:
    async with Simulator(QUIET) as simulator:
        with pytest.raises(UpstreamError) as caught:
            await stream_to(simulator, secret="wrong").open()
        await until(lambda: endpoint_state(simulator)["connections"] == 0)

    assert (caught.value.code, caught.value.retry) == (402, Retry.NEVER)
    assert "wrong" not in str(caught.value)


async def test_a_feed_beyond_the_plan_keeps_its_code() -> None:
    async with Simulator(QUIET) as simulator:
        with pytest.raises(UpstreamError) as caught:
            await stream_to(simulator, "sip").open()

    assert (caught.value.code, caught.value.retry) == (409, Retry.NEVER)


async def test_a_taken_slot_keeps_its_code_and_the_first_connection_stands() -> None:
    async with Simulator(QUIET) as simulator, opened(stream_to(simulator)) as first:
        second = stream_to(simulator)
        with pytest.raises(UpstreamError) as caught:
            await second.open()

        assert (caught.value.code, caught.value.retry) == (406, Retry.LATER)
        await first.change(subscribe("SPY"))
        assert (await messages(first))[0].trades == ["SPY"]
        await second.shut()


async def test_after_406_the_keys_are_sent_again_on_the_same_socket() -> None:
    async with Simulator(QUIET) as simulator:
        first, second = stream_to(simulator), stream_to(simulator)
        await first.open()
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await second.open()
            assert second.awaits_slot
        await first.shut()
        await until(lambda: endpoint_state(simulator)["connections"] == 1)
        await second.open()
        assert not second.awaits_slot
        assert endpoint_state(simulator)["connections_total"] == 2
        await second.change(subscribe("SPY"))
        assert (await messages(second))[0].trades == ["SPY"]
        await second.shut()


@pytest.mark.parametrize("by_alpaca_at_once", [True, False])
async def test_a_socket_that_ends_after_406_is_replaced(by_alpaca_at_once: bool) -> None:
    async with Simulator(QUIET) as simulator:
        stream = stream_to(simulator)
        simulator.faults.refuse_auth("iex", code=406, close=by_alpaca_at_once)
        with pytest.raises(UpstreamError):
            await stream.open()
        if not by_alpaca_at_once:
            assert stream.awaits_slot
            simulator.faults.fin("iex")
        await until(lambda: not stream.awaits_slot)
        await stream.open()
        assert endpoint_state(simulator)["connections_total"] == 2
        await stream.shut()


async def test_a_late_authentication_keeps_its_code() -> None:
    timeout = packed({"T": "error", "code": 404, "msg": "auth timeout"})

    async def script(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.send(timeout)
        await connection.close()

    async with websocket_server(script) as url:
        error = await refusal(url)

    assert (error.code, error.retry) == (404, Retry.SOON)


async def nothing(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def only_welcome(connection: ServerConnection) -> None:
    await connection.send(WELCOME)
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("script", "lacking"), [(nothing, "welcome"), (only_welcome, "answer to the keys")]
)
async def test_a_server_that_accepts_and_falls_silent_is_given_up_before_the_whole_limit(
    script: Script, lacking: str
) -> None:
    async with websocket_server(script) as url:
        error = await refusal(url, Patience(connect=3600.0, answer=0.2))

    assert error.retry is Retry.SOON
    assert str(error) == f"Alpaca sent no {lacking} within 0.2 s"


async def test_a_server_that_does_not_even_upgrade_is_given_up_and_left() -> None:
    async with answering(None) as (url, ended):
        error = await refusal(url, Patience(connect=0.2, answer=3600.0))
        assert error.retry is Retry.SOON
        assert "0.2 s" in str(error)
        await until(lambda: ended == [True])


@pytest.mark.parametrize(
    "welcome",
    [
        b"\xc1",
        b"",
        "text",
        msgpack.packb([]),
        msgpack.packb({}),
        msgpack.packb(7),
        msgpack.packb([7]),
        packed({"T": "error", "code": 500, "msg": "internal error"}),
        packed({"msg": "connected"}),
        packed({"T": "success"}),
        b"\x91" * 5_000 + b"\xc0",
        b"\x81\xa1T" * 5_000 + b"\xc0",
        packed({"T": "success", "msg": "connected", "t": msgpack.Timestamp(2**62)})[:-1],
    ],
    ids=lambda each: repr(each)[:40],
)
async def test_a_welcome_of_another_form_is_a_failure_to_connect(welcome: bytes | str) -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(welcome)
        await connection.wait_closed()

    async with websocket_server(script) as url:
        assert (await refusal(url)).retry is Retry.SOON


@pytest.mark.parametrize(
    "answer",
    [
        *(b"\xc1", b"", "text", msgpack.packb([]), msgpack.packb(7), packed({}), WELCOME),
        b"\x91" * 5_000 + b"\xc0",
    ],
    ids=lambda each: repr(each)[:40],
)
async def test_an_answer_to_the_keys_of_another_form_is_a_failure_to_connect(
    answer: bytes | str,
) -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send(answer)
        await connection.wait_closed()

    async with websocket_server(script) as url:
        assert (await refusal(url)).retry is Retry.SOON


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        ("429 Too Many Requests", 429, Retry.MUCH_LATER),
        ("401 Unauthorized", 402, Retry.NEVER),
        ("403 Forbidden", None, Retry.SOON),
        ("404 Not Found", None, Retry.SOON),
        ("503 Service Unavailable", None, Retry.SOON),
        ("200 OK", None, Retry.SOON),
    ],
)
async def test_an_http_answer_in_place_of_the_upgrade(
    status: str, code: int | None, retry: Retry
) -> None:
    async with answering(http_answer(status)) as (url, _):
        error = await refusal(url)

    assert (error.code, error.retry) == (code, retry)
    assert status[:3] in str(error)


async def test_an_http_404_of_the_upgrade_names_the_settings_of_the_url() -> None:
    async with answering(http_answer("404 Not Found")) as (url, _):
        error = await refusal(url)
        with pytest.raises(UpstreamError, match="check ALPACA_TRADING_URL"):
            await AccountStream(url, "k", "s").open()

    assert str(error).endswith("check ALPACA_FEED and ALPACA_STREAM_URL")


@pytest.mark.parametrize("phase", ["welcome", "keys"])
async def test_a_server_that_speaks_text_is_named_as_such_in_the_handshake(phase: str) -> None:
    async def script(connection: ServerConnection) -> None:
        if phase == "keys":
            await connection.send(WELCOME)
            await connection.recv()
        await connection.send('[{"T":"success","msg":"connected"}]')
        await connection.wait_closed()

    async with websocket_server(script) as url:
        error = await refusal(url)

    assert "characters of text where msgpack was requested" in str(error)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 101 Oops\r\n\r\n"])
async def test_an_answer_that_is_no_websocket_is_a_failure_to_connect(answer: bytes) -> None:
    async with answering(answer) as (url, _):
        assert (await refusal(url)).retry is Retry.SOON


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/v2/iex", "ws://no-such-host.invalid/v2/iex"])
async def test_nobody_there_is_a_failure_to_connect(url: str) -> None:
    assert (await refusal(url)).retry is Retry.SOON


@pytest.mark.parametrize("garbage", [b"\xc1\xc1", b"", "text", msgpack.packb({"T": "t"})], ids=repr)
async def test_after_a_bad_frame_the_connection_stands(garbage: bytes | str) -> None:
    script = saying(garbage, packed({"T": "success", "msg": "still here"}))
    async with websocket_server(script) as url, opened(AlpacaStream(url, "k", "s")) as stream:
        with pytest.raises(BadFrameError):
            await messages(stream)
        assert await messages(stream) == [wire.Success("still here")]


async def test_a_frame_of_several_megabytes_is_taken() -> None:
    many = [{"T": "x", "S": f"S{number}", "pad": "." * 1000} for number in range(5000)]
    script = saying(packed(*many))
    async with websocket_server(script) as url, opened(AlpacaStream(url, "k", "s")) as stream:
        assert len(await messages(stream)) == 5000


async def test_a_connection_that_ends_while_it_is_asked_still_says_why() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send(AUTHENTICATED)
        await connection.send(packed({"T": "error", "code": 407, "msg": "slow client"}))
        await connection.close()

    async with websocket_server(script) as url, opened(AlpacaStream(url, "k", "s")) as stream:
        await until(lambda: stream._ws.closed)
        await stream.change(subscribe("SPY"))
        assert await messages(stream) == [wire.Error(407, "slow client")]
        with pytest.raises(UpstreamError):
            await stream.frame()


async def test_a_lost_connection_is_an_error_of_reading() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send(AUTHENTICATED)
        connection.transport.abort()

    async with websocket_server(script) as url, opened(AlpacaStream(url, "k", "s")) as stream:
        with pytest.raises(UpstreamError):
            await stream.frame()


async def test_cancelling_while_it_opens_leaves_no_socket() -> None:
    async with answering(None) as (url, ended):
        task = asyncio.create_task(AlpacaStream(url, "k", "s").open())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await until(lambda: ended == [True])


async def test_cancelling_while_it_waits_for_the_welcome_closes_properly() -> None:
    codes: list[int | None] = []

    async def script(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with websocket_server(script) as url:
        stream = AlpacaStream(url, "k", "s")
        task = asyncio.create_task(stream.open())
        await until(lambda: stream._ws is not None)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: codes == [1000])
