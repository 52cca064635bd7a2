"""Each fault as a client sees it, over real sockets."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator.faults.odd_frames import odd_frames
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import KEYS, StreamClient, endpoint_state, open_stream, until

AUTH = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
TRADE = {"T": "t", "i": 5, "S": "SPY", "x": "Q", "p": 167.41, "s": 500, "c": [" "], "z": "B"}
QUIET_SECONDS = 0.2
"""How long a test listens to a silence; a wait that ends too early can only pass."""


async def watching(client: StreamClient, *symbols: str) -> None:
    await client.sign_in()
    await client.ask({"action": "subscribe", "trades": list(symbols or ("SPY",))})


async def assert_silence(client: StreamClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(QUIET_SECONDS):
            await client.receive()


async def end_of(client: StreamClient) -> int | None:
    """Return the code of the server's close, None if it sent none."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                await client.receive()
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


@pytest.mark.parametrize("status", [429, 503])
async def test_an_upgrade_is_refused_as_often_as_armed(quiet: Simulator, status: int) -> None:
    quiet.faults.refuse_upgrade("iex", status=status, count=2)
    for _ in range(2):
        with pytest.raises(InvalidStatus) as caught:
            async with open_stream(quiet):
                pass
        assert caught.value.response.status_code == status
    async with open_stream(quiet) as client:
        await client.sign_in()

    state = endpoint_state(quiet)
    assert (state["upgrades_refused"], state["connections_total"]) == ({str(status): 2}, 1)


async def test_a_fault_of_one_feed_leaves_the_others_alone(quiet: Simulator) -> None:
    quiet.faults.refuse_upgrade("news")
    async with open_stream(quiet) as client:
        await client.sign_in()


async def test_a_connection_can_be_mute_from_the_start_and_still_answer_pings(
    quiet: Simulator,
) -> None:
    quiet.faults.mute_after_connect("iex")
    async with open_stream(quiet) as mute, open_stream(quiet) as served:
        await mute.send(AUTH)
        await assert_silence(mute)
        async with asyncio.timeout(LIMIT_SECONDS):
            await (await mute.connection.ping())
        await served.sign_in()


async def test_a_mute_connection_has_no_auth_timeout() -> None:
    async with Simulator(SimulatorSettings(tape=None, auth_timeout_seconds=0.05)) as simulator:
        simulator.faults.mute_after_connect()
        async with open_stream(simulator) as client:
            await assert_silence(client)


async def test_keys_can_stay_unanswered_and_take_no_slot(quiet: Simulator) -> None:
    quiet.faults.mute_after_auth("iex")
    async with open_stream(quiet) as mute, open_stream(quiet) as served:
        assert (await mute.control())["msg"] == "connected"
        await mute.send(AUTH)
        await assert_silence(mute)
        await served.sign_in()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (402, "auth failed"),
        (404, "auth timeout"),
        (406, "connection limit exceeded"),
        (409, "insufficient subscription"),
        (411, "insufficient scope"),
        (500, "internal error"),
        (499, "error 499"),
    ],
)
async def test_the_right_keys_can_be_refused(quiet: Simulator, code: int, text: str) -> None:
    quiet.faults.refuse_auth("iex", code=code, close=True)
    async with open_stream(quiet) as client:
        await client.control()
        assert await client.ask(AUTH) == {"T": "error", "code": code, "msg": text}
        assert await end_of(client) == 1000
    async with open_stream(quiet) as client:
        await client.sign_in()
    assert endpoint_state(quiet)["refused"] == {str(code): 1}


async def test_keys_in_the_headers_meet_the_same_faults(quiet: Simulator) -> None:
    quiet.faults.refuse_auth("iex", code=406)
    quiet.faults.mute_after_auth("iex")
    async with open_stream(quiet, headers=KEYS) as client:
        assert (await client.control())["msg"] == "connected"
        assert (await client.control())["code"] == 406
    async with open_stream(quiet, headers=KEYS) as client:
        assert (await client.control())["msg"] == "connected"
        await assert_silence(client)


async def test_a_refused_client_may_be_kept_to_try_again(quiet: Simulator) -> None:
    quiet.faults.refuse_auth("iex", code=406, close=False)
    async with open_stream(quiet) as client:
        await client.control()
        assert (await client.ask(AUTH))["code"] == 406
        assert (await client.ask(AUTH))["msg"] == "authenticated"


@pytest.mark.parametrize("code", [400, 405, 410, 413, 500])
async def test_a_subscribe_can_be_refused(quiet: Simulator, code: int) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        quiet.faults.refuse_subscribe("iex", code=code)
        assert (await client.ask({"action": "subscribe", "trades": ["SPY"]}))["code"] == code
        assert (await client.ask({"action": "unsubscribe", "trades": ["A"]}))["trades"] == []


async def test_a_subscribe_can_be_ignored(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        quiet.faults.ignore_subscribe("iex")
        await client.send({"action": "subscribe", "trades": ["SPY"]})
        assert (await client.ask({"action": "subscribe", "trades": ["IBM"]}))["trades"] == ["IBM"]


async def test_what_is_mute_loses_what_is_published_and_new_connections_do_not(
    quiet: Simulator,
) -> None:
    async with open_stream(quiet) as client, open_stream(quiet, "test") as other:
        await watching(client)
        await other.sign_in()
        assert quiet.faults.mute("iex") == 1
        await quiet.publish(TRADE)
        await client.send({"action": "subscribe", "trades": ["IBM"]})
        await assert_silence(client)
        async with asyncio.timeout(LIMIT_SECONDS):
            await (await client.connection.ping())
        assert (await other.ask({"action": "subscribe"}))["T"] == "subscription"
    await until(lambda: endpoint_state(quiet)["connections"] == 0)
    async with open_stream(quiet) as client:
        await watching(client)
        await quiet.publish(TRADE)
        assert (await client.receive())[0]["p"] == 167.41


async def test_a_mute_connection_speaks_again_after_its_time(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await watching(client)
        quiet.faults.mute("iex", seconds=0.05)
        await client.send({"action": "subscribe", "trades": ["IBM"]})
        await asyncio.sleep(0.1)
        assert (await client.ask({"action": "subscribe"}))["T"] == "subscription"


@pytest.mark.parametrize("is_lasting", [False, True])
async def test_one_symbol_can_be_withheld_until_it_is_subscribed_to_again(
    quiet: Simulator, is_lasting: bool
) -> None:
    spy = {"action": "subscribe", "trades": ["SPY"]}
    async with open_stream(quiet) as client:
        await watching(client, "SPY", "IBM")
        quiet.faults.withhold("iex", symbol="SPY", is_lasting=is_lasting)
        await client.ask(spy)  # it is subscribed already: nothing changes
        await quiet.publish(TRADE)
        await quiet.publish(TRADE | {"S": "IBM"})
        assert [trade["S"] for trade in await client.receive()] == ["IBM"]
        quiet.faults.send_messages("iex", [TRADE, TRADE | {"S": "IBM"}])
        assert [trade["S"] for trade in await client.receive()] == ["IBM"]
        assert endpoint_state(quiet)["withheld"] == ["SPY"]
        async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
            snapshot = (await http.get("/v2/stocks/snapshots?symbols=SPY")).json()["SPY"]
        assert snapshot["latestTrade"]["p"] == 167.41

        await client.ask({"action": "unsubscribe", "trades": ["SPY"]})
        await client.ask(spy)
        await quiet.publish(TRADE)
        await quiet.publish(TRADE | {"S": "IBM"})
        received = [trade["S"] for trade in await client.receive()]

    assert received == (["IBM"] if is_lasting else ["SPY", "IBM"])


async def test_a_withheld_symbol_comes_again_after_its_time_or_when_cleared(
    quiet: Simulator,
) -> None:
    async with open_stream(quiet) as client:
        await watching(client)
        quiet.faults.withhold("iex", symbol="SPY", seconds=0.05)
        await until(lambda: endpoint_state(quiet)["withheld"] == [])
        await quiet.publish(TRADE)
        assert (await client.receive())[0]["S"] == "SPY"
        quiet.faults.withhold("iex", symbol="SPY", is_lasting=True)
        quiet.faults.clear("iex")
        await quiet.publish(TRADE)
        assert (await client.receive())[0]["S"] == "SPY"


async def test_a_cancel_that_no_client_got_is_in_the_history(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await watching(client)
        await quiet.publish(TRADE)
        quiet.faults.mute("iex")
        await quiet.publish({"T": "x", "S": "SPY", "i": 5, "x": "Q", "p": 167.41, "s": 500})
        async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
            answer = await http.get("/v2/stocks/trades?symbols=SPY&feed=iex")

    [row] = answer.json()["trades"]["SPY"]
    assert (row["i"], row["u"]) == (5, "canceled")


@pytest.mark.parametrize("path", ["/v2/otc", "/v2/v2/iex", "//v2/iex", "/v2/iex//", "/"])
async def test_a_websocket_on_an_unknown_path_is_404(quiet: Simulator, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"{quiet.stream_url}{path}"):
            pass

    assert caught.value.response.status_code == 404


@pytest.mark.parametrize("path", ["/v2/iex/", "/v1beta1/news/", "/stream/"])
async def test_a_slash_at_the_end_of_a_streams_path_does_not_count(
    quiet: Simulator, path: str
) -> None:
    # alpaca-trade-api 3.2 connects to its base URL + "/stream/".
    async with connect(f"{quiet.stream_url}{path}") as connection:
        await connection.send(json.dumps(AUTH))
        async with asyncio.timeout(LIMIT_SECONDS):
            while "authorized" not in (said := str(await connection.recv())):
                assert "error" not in said
                if "authenticated" in said:
                    break


@pytest.mark.parametrize("path", ["//v2/calendar", "/v2/v2/account", "/v2/clock/", "/v2/otc", "/"])
async def test_a_request_of_an_unknown_path_is_404(quiet: Simulator, path: str) -> None:
    # A client would join its base URL and `//v2/…` to one slash: send the bytes themselves.
    reader, writer = await asyncio.open_connection("127.0.0.1", quiet.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(LIMIT_SECONDS):
        status = await reader.readline()
    writer.close()

    assert status.split()[1] == b"404"


async def test_half_open_answers_not_even_a_ping_and_keeps_its_slot() -> None:
    settings = SimulatorSettings(tape=None, ping_seconds=0.1, ghost_seconds=60)
    async with Simulator(settings) as simulator, open_stream(simulator) as client:
        await watching(client)
        simulator.faults.half_open("iex")
        pong = asyncio.ensure_future(await client.connection.ping())
        await simulator.publish(TRADE)
        await client.send({"action": "subscribe", "trades": ["IBM"]})
        await assert_silence(client)
        await asyncio.sleep(0.2)  # a server that still sent pings would drop it for want of pongs
        assert not pong.done()
        state = endpoint_state(simulator)
        assert (state["connections"], state["sessions"]) == (1, 1)
        async with open_stream(simulator) as second:
            await second.control()
            assert (await second.ask(AUTH))["code"] == 406
        pong.cancel()


async def test_the_client_can_leave_a_half_open_connection(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await watching(client)
        quiet.faults.half_open("iex")
        client.connection.transport.abort()
    await until(lambda: endpoint_state(quiet)["connections"] == 0)


async def test_a_reset_reaches_the_peer_as_one(quiet: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", quiet.port)
    writer.write(
        b"GET /v2/iex HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    await until(lambda: endpoint_state(quiet)["connections"] == 1)
    assert quiet.faults.reset("iex") == 1
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(LIMIT_SECONDS):
            await reader.read()
    writer.close()


@pytest.mark.parametrize("ghost_seconds", [0.0, 60.0])
@pytest.mark.parametrize("name", ["reset", "fin"])
async def test_what_was_cut_has_no_close_frame_and_haunts_its_slot(
    name: str, ghost_seconds: float
) -> None:
    settings = SimulatorSettings(tape=None, ghost_seconds=ghost_seconds)
    async with Simulator(settings) as simulator:
        async with open_stream(simulator) as client:
            await watching(client)
            getattr(simulator.faults, name)("iex")
            assert await end_of(client) is None
        await until(lambda: endpoint_state(simulator)["connections"] == 0)
        async with open_stream(simulator) as client:
            await client.control()
            assert ("code" in await client.ask(AUTH)) is (ghost_seconds > 0)


async def test_a_close_with_a_code_frees_the_slot() -> None:
    async with Simulator(SimulatorSettings(tape=None, ghost_seconds=60)) as simulator:
        async with open_stream(simulator) as client:
            await watching(client)
            assert simulator.faults.close("iex", code=1012) == 1
            assert await end_of(client) == 1012
        await until(lambda: endpoint_state(simulator)["connections"] == 0)
        async with open_stream(simulator) as client:
            await client.sign_in()


@pytest.mark.parametrize(
    ("code", "close", "is_closed"),
    [(407, None, True), (500, True, True), (500, None, False), (404, False, False)],
)
async def test_an_error_can_come_at_any_time(
    quiet: Simulator, code: int, close: bool | None, is_closed: bool
) -> None:
    async with open_stream(quiet) as client:
        await watching(client)
        quiet.faults.error("iex", code=code, close=close)
        assert (await client.control())["code"] == code
        if is_closed:
            assert await end_of(client) == 1000
        else:
            await quiet.publish(TRADE)
            assert (await client.receive())[0]["T"] == "t"


async def test_frames_of_any_content_arrive_as_they_are(quiet: Simulator) -> None:
    sent: list[tuple[Callable[[], int], Any]] = [
        (lambda: quiet.faults.send("iex", b"\x01\x02"), b"\x01\x02"),
        (lambda: quiet.faults.send_text("iex", "hello"), "hello"),
    ]
    async with open_stream(quiet) as client:
        await watching(client)
        for strike, frame in sent:
            assert strike() == 1
            assert await client.connection.recv() == frame
        quiet.faults.garbage("iex")
        with pytest.raises(msgpack.exceptions.FormatError):
            msgpack.unpackb(await client.connection.recv())
        quiet.faults.no_array("iex")
        assert isinstance(await client.receive(), dict)


async def test_messages_leave_in_one_frame_whether_subscribed_or_not(quiet: Simulator) -> None:
    late = TRADE | {"S": "IBM", "p": 181.5, "extra": {"deep": [1]}}
    async with open_stream(quiet) as client:
        await watching(client)
        quiet.faults.send_messages("iex", [late, TRADE])
        quiet.faults.malformed("iex", messages=[late, TRADE])
        quiet.faults.unknown_type("iex", messages=[TRADE])
        plain, malformed, unknown = [await client.receive() for _ in range(3)]

    assert [message["S"] for message in plain] == ["IBM", "SPY"]
    assert plain[0]["extra"] == {"deep": [1]}
    assert [message.get("p") for message in malformed] == [181.5, "no price", 167.41]
    assert [message["T"] for message in unknown] == ["unheard-of", "t"]


async def test_each_odd_frame_is_another_one_and_a_named_one_is_sent_again(
    quiet: Simulator,
) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        for _ in odd_frames("iex"):
            assert quiet.faults.odd_frame("iex") == 1
        frames = [await client.connection.recv() for _ in odd_frames("iex")]
        quiet.faults.odd_frame("iex", kind="null_size", symbol="SPY")
        [null_size] = msgpack.unpackb(await client.connection.recv())

    assert len(set(frames)) == len(frames)
    assert frames[0] == bytes.fromhex("9182a154a17aa174c70cff000000000000003afff44180")
    assert (null_size["S"], null_size["s"]) == ("SPY", None)


def test_an_odd_frame_of_another_stream_is_refused_with_the_names(quiet: Simulator) -> None:
    with pytest.raises(ValueError, match="null_order"):
        quiet.faults.odd_frame("account", kind="null_size")


@pytest.mark.parametrize("form", Format)
async def test_a_huge_frame_is_valid_and_beyond_two_mebibytes(
    quiet: Simulator, form: Format
) -> None:
    async with open_stream(quiet, form=form, max_size=None) as client:
        await watching(client)
        quiet.faults.huge("iex", messages=[TRADE])
        async with asyncio.timeout(LIMIT_SECONDS):
            raw = await client.connection.recv()
    messages = msgpack.unpackb(raw) if isinstance(raw, bytes) else json.loads(raw)
    assert len(raw) > 2 * 1024 * 1024
    assert messages[0]["p"] == 167.41
    assert {message["S"] for message in messages[1:]} == {"FILLER"}


async def test_a_frame_in_json_is_text(quiet: Simulator) -> None:
    async with open_stream(quiet, form=Format.JSON) as client:
        await watching(client)
        quiet.faults.unknown_type("iex")
        assert (await client.receive())[0]["T"] == "unheard-of"


@pytest.mark.parametrize(
    ("strike", "problem"),
    [
        (lambda faults: faults.mute("spi"), "feed is 'spi', expected one of iex, sip, test, news"),
        (lambda faults: faults.mute(seconds=0), "seconds is 0"),
        (lambda faults: faults.withhold(symbol="SPY", seconds=0), "seconds is 0"),
        (lambda faults: faults.adjustment("SPY", ratio=0), "ratio is 0"),
        (lambda faults: faults.close(code=1005), "code is 1005"),
        (lambda faults: faults.refuse_upgrade(status=200), "status is 200, expected 400 to 599"),
        (lambda faults: faults.refuse_auth(count=0), "count is 0"),
        (lambda faults: faults.refuse_auth(seconds=-1), "seconds is -1"),
        (lambda faults: faults.send_messages("iex", [{"S": "SPY"}]), '"T"'),
        (lambda faults: faults.huge(size=0), "size is 0"),
        (lambda faults: faults.rest(), "status and delay_seconds"),
        (lambda faults: faults.rest(status=500, path="clock"), "path is 'clock'"),
        (lambda faults: faults.rest(delay_seconds=-1), "delay_seconds is -1"),
        (lambda faults: faults.clear("x"), "feed is 'x'"),
    ],
)
async def test_a_fault_that_cannot_be_is_explained(
    quiet: Simulator, strike: Callable[[Any], object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        strike(quiet.faults)
    assert quiet.state()["faults"] == []
