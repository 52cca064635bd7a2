"""The stream over real sockets."""

import asyncio
import json
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator.protocol import rfc3339
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import SHIPPED, read_tape
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import KEYS, StreamClient, endpoint_state, open_stream, until

TRADE = {"T": "t", "i": 5, "S": "SPY", "x": "Q", "p": 167.41, "s": 500, "c": [" "], "z": "B"}
TIME = "2026-11-22T15:28:52.011856266Z"


async def until_connections(simulator: Simulator, count: int) -> None:
    await until(lambda: endpoint_state(simulator)["connections"] == count)


async def closing_code(client: StreamClient) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        await client.receive()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def cut(client: StreamClient) -> None:
    """Drop the TCP connection without a WebSocket close."""
    client.connection.transport.abort()


@pytest.mark.parametrize("form", Format)
async def test_a_trade_arrives_with_every_nanosecond(quiet: Simulator, form: Format) -> None:
    async with open_stream(quiet, form=form) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY"]})
        await quiet.publish(TRADE | {"t": TIME})
        [trade] = await client.receive()

    time = trade.pop("t")
    assert trade == TRADE
    assert time == TIME if form is Format.JSON else time.to_unix_nano() == rfc3339.parse(TIME)


@pytest.mark.slow
async def test_replayed_trades_are_those_of_the_tape() -> None:
    rows = read_tape(SHIPPED).rows
    async with (
        Simulator(SimulatorSettings(speed=20)) as simulator,
        open_stream(simulator, form=Format.JSON) as client,
    ):
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY", "BAC"], "quotes": ["IBM"]})
        received = await client.receive_data(300)
        # For some moments of the tape only one of them trades.
        async with asyncio.timeout(LIMIT_SECONDS):
            while {each["S"] for each in received if each["T"] == "t"} != {"SPY", "BAC"}:
                received += await client.receive_data(100)

    trades = [message for message in received if message["T"] == "t"]
    assert {message["S"] for message in received if message["T"] == "q"} == {"IBM"}
    for trade in trades:
        recorded = dict(rows[trade["i"] - 1].fields)
        assert trade | {"t": 0, "i": 0} == recorded | {"t": 0, "i": 0}
    numbers = [trade["i"] for trade in trades]
    wanted = [
        number
        for number, row in enumerate(rows, start=1)
        if row.fields["T"] == "t" and row.fields["S"] in {"SPY", "BAC"}
    ]
    first = wanted.index(numbers[0])
    assert numbers == wanted[first : first + len(numbers)]
    offsets = [rows[number - 1].offset for number in numbers]
    times = [rfc3339.parse(trade["t"]) for trade in trades]
    assert [time - times[0] for time in times] == pytest.approx(
        [(offset - offsets[0]) / 20 for offset in offsets], abs=1
    )


@pytest.mark.parametrize("form", Format)
async def test_a_fragmented_message_is_understood(quiet: Simulator, form: Format) -> None:
    async with open_stream(quiet, form=form) as client:
        await client.sign_in()
        await client.send({"action": "subscribe", "trades": ["SPY"]}, fragments=5)

        assert (await client.control())["trades"] == ["SPY"]


async def test_text_and_binary_frames_are_read_alike(quiet: Simulator) -> None:
    async with open_stream(quiet, form=Format.JSON) as client:
        await client.sign_in()
        await client.connection.send(json.dumps({"action": "subscribe", "trades": ["A"]}).encode())

        assert (await client.control())["trades"] == ["A"]


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("garbage", [b"\xff\xfe", "hello", b"\xc1", b"[[[", ""])
async def test_garbage_is_answered_and_the_session_goes_on(
    quiet: Simulator, form: Format, garbage: str | bytes
) -> None:
    async with open_stream(quiet, form=form) as client:
        await client.control()
        await client.connection.send(garbage)
        assert (await client.control())["code"] == 400
        await client.send({"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"})
        assert (await client.control())["msg"] == "authenticated"


async def test_keys_in_the_headers_authenticate(quiet: Simulator) -> None:
    async with open_stream(quiet, headers=KEYS) as client:
        assert [(await client.control())["msg"] for _ in range(2)] == ["connected", "authenticated"]
        assert (await client.ask({"action": "auth", "key": "a", "secret": "b"}))["code"] == 403


async def test_a_session_by_headers_does_not_time_out() -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, auth_timeout_seconds=0.05)) as simulator,
        open_stream(simulator, headers=KEYS) as client,
    ):
        await client.control()
        await client.control()
        await asyncio.sleep(0.1)
        assert (await client.ask({"action": "subscribe"}))["T"] == "subscription"


async def test_wrong_keys_end_the_connection(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.control()
        answer = await client.ask({"action": "auth", "key": "PKSIMULATOR", "secret": "wrong"})

        assert answer == {"T": "error", "code": 402, "msg": "auth failed"}
        await closing_code(client)
    assert endpoint_state(quiet)["refused"] == {"402": 1}


async def test_without_authentication_the_time_runs_out() -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, auth_timeout_seconds=0.05)) as simulator,
        open_stream(simulator) as client,
    ):
        await client.control()
        assert await client.control() == {"T": "error", "code": 404, "msg": "auth timeout"}
        await closing_code(client)


async def test_sip_is_not_in_the_basic_plan(quiet: Simulator) -> None:
    async with open_stream(quiet, "sip") as client:
        await client.control()
        keys = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
        assert (await client.ask(keys))["code"] == 409
        assert (await client.ask(keys))["code"] == 409, "Alpaca keeps the socket open"


async def test_a_second_connection_is_refused_until_the_first_has_closed(quiet: Simulator) -> None:
    async with open_stream(quiet) as first, open_stream(quiet) as second:
        await first.sign_in()
        await second.control()
        keys = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
        assert await second.ask(keys) == {
            "T": "error",
            "code": 406,
            "msg": "connection limit exceeded",
        }
        await first.connection.close()
        await until_connections(quiet, 1)
        assert (await second.ask(keys))["msg"] == "authenticated"
    state = endpoint_state(quiet)
    assert (state["connections_total"], state["connections_peak"]) == (2, 2)
    assert (state["sessions_total"], state["refused"]) == (2, {"406": 1})


@pytest.mark.parametrize("closed", [True, False])
async def test_only_a_cut_connection_haunts_its_slot(closed: bool) -> None:
    keys = {"action": "auth", "key": "PKSIMULATOR", "secret": "simulator-secret"}
    async with Simulator(SimulatorSettings(tape=None, ghost_seconds=60)) as simulator:
        async with open_stream(simulator) as client:
            await client.sign_in()
            if not closed:
                cut(client)
        await until_connections(simulator, 0)
        async with open_stream(simulator) as client:
            await client.control()
            answer = await client.ask(keys)

    assert (answer["T"] == "success") is closed
    assert closed or answer["code"] == 406


@pytest.mark.parametrize("seconds", [0.05, 3600])
async def test_a_ghost_goes_away_with_time_or_when_it_is_ended(seconds: float) -> None:
    async with Simulator(SimulatorSettings(tape=None, ghost_seconds=seconds)) as simulator:
        async with open_stream(simulator) as client:
            await client.sign_in()
            cut(client)
        await until_connections(simulator, 0)
        if seconds > 1:
            simulator.end_ghosts()
        await until(lambda: simulator.slot_free_at("iex") <= time.monotonic())
        async with open_stream(simulator) as client:
            await client.sign_in()


async def test_beyond_the_limit_the_whole_request_is_refused(quiet: Simulator) -> None:
    many = [f"S{number}" for number in range(30)]
    async with open_stream(quiet) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY"]})

        answer = await client.ask({"action": "subscribe", "trades": many})

        assert answer == {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
        assert (await client.ask({"action": "subscribe"}))["trades"] == ["SPY"]
    await until_connections(quiet, 0)


async def test_a_wildcard_gets_every_symbol() -> None:
    async with (
        Simulator(SimulatorSettings(speed=50, plan="plus")) as simulator,
        open_stream(simulator, "sip") as client,
    ):
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["*"]})
        received = await client.receive_data(2000)

    assert {message["S"] for message in received} == {"SPY", "BAC", "AIG", "IBM"}
    numbers = [message["i"] for message in received]
    assert numbers == sorted(set(numbers))


KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "t": ("trades", TRADE),
    "q": ("quotes", {"bx": "P", "bp": 1.5, "bs": 0, "ax": "Q", "ap": 1.25, "as": 3, "c": ["R"]}),
    "b": ("bars", {"o": 1.5, "h": 1.5, "l": 1.5, "c": 1.5, "v": 3, "n": 1, "vw": 1.5}),
    "u": ("updatedBars", {"o": 1.5, "h": 1.5, "l": 1.5, "c": 1.5, "v": 3, "n": 1, "vw": 1.5}),
    "d": ("dailyBars", {"o": 1.5, "h": 1.5, "l": 1.5, "c": 1.5, "v": 3, "n": 1, "vw": 1.5}),
    "s": ("statuses", {"sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Info", "z": "C"}),
    "l": ("lulds", {"u": 3.25, "d": 2.5, "i": "B", "z": "C"}),
    "c": ("trades", {"x": "M", "oi": 5, "op": 1.5, "os": 1, "oc": ["@"], "ci": 6, "cp": 1.25}),
    "x": ("trades", {"i": 5, "x": "M", "p": 1.5, "s": 10, "a": "C", "z": "C"}),
    "i": ("imbalances", {"p": 9.75, "z": "C"}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_message_arrives_whole_at_who_subscribed(
    quiet: Simulator, kind: str
) -> None:
    channel, fields = KINDS[kind]
    message = {**fields, "T": kind, "S": "SPY"}
    async with open_stream(quiet) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", channel: ["SPY"]})
        for other in (message | {"S": "IBM"}, message | {"t": TIME}):
            await quiet.publish(other)
        [received] = await client.receive()

    assert next(iter(received)) == "T"
    assert received.pop("t").to_unix_nano() == rfc3339.parse(TIME)
    assert received == message


async def test_the_state_shows_each_channel_and_the_most_sessions(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        wanted = {"trades": ["SPY"], "quotes": ["IBM", "SPY"], "statuses": ["*"]}
        request: dict[str, object] = {"action": "subscribe", **wanted}
        await client.ask(request)
        state = endpoint_state(quiet)
    await until_connections(quiet, 0)

    assert {name: state[name] for name in (*wanted, "news")} == {**wanted, "news": []}
    assert state["subscriptions"] == ["SPY"]
    after = endpoint_state(quiet)
    assert (after["sessions"], after["sessions_peak"]) == (0, 1)


async def test_what_was_unsubscribed_stops(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY", "IBM"]})
        assert endpoint_state(quiet)["subscriptions"] == ["IBM", "SPY"]
        await client.ask({"action": "unsubscribe", "trades": ["SPY"]})
        await quiet.publish(TRADE)
        await quiet.publish(TRADE | {"S": "IBM"})

        assert [message["S"] for message in await client.receive()] == ["IBM"]


async def test_the_test_stream_sends_its_one_symbol() -> None:
    settings = SimulatorSettings(tape=None, test_interval_seconds=0.01)
    async with Simulator(settings) as simulator, open_stream(simulator, "test") as client:
        await client.sign_in()
        answer = await client.ask(
            {"action": "subscribe", "trades": ["FAKEPACA"], "quotes": ["FAKEPACA"]}
        )
        received = await client.receive_data(4)

    assert list(answer) == ["T", "trades", "quotes", "bars"]
    assert {message["T"] for message in received} >= {"t", "q"}
    assert {message["S"] for message in received} == {"FAKEPACA"}


@pytest.mark.slow
async def test_a_client_that_reads_nothing_is_thrown_out() -> None:
    settings = SimulatorSettings(tape=None, outbox_bytes=200_000)
    async with Simulator(settings) as simulator, open_stream(simulator, compression=None) as client:
        await client.sign_in()
        await client.ask({"action": "subscribe", "trades": ["SPY"]})
        client.connection.transport.pause_reading()
        for _ in range(2000):
            await simulator.publish(TRADE | {"c": ["x" * 10_000]})
            await asyncio.sleep(0)
        assert endpoint_state(simulator)["refused"] == {"407": 1}
        await until_connections(simulator, 0)
        client.connection.transport.abort()


async def test_a_socket_cut_in_mid_message_harms_nobody(quiet: Simulator) -> None:
    async with open_stream(quiet) as client:
        await client.sign_in()
        # a masked frame that announces 4096 bytes and brings seven
        client.connection.transport.write(b"\x82\xfe\x10\x00\x01\x02\x03\x04abcdefg")
        cut(client)
    await until_connections(quiet, 0)
    async with open_stream(quiet) as client:
        await client.sign_in()


async def test_other_paths_have_no_stream(quiet: Simulator) -> None:
    with pytest.raises(InvalidStatus):
        async with open_stream(quiet, "nope"):
            pass


async def test_a_client_that_answers_no_ping_is_dropped() -> None:
    settings = SimulatorSettings(tape=None, ping_seconds=0.2)
    async with Simulator(settings) as simulator, open_stream(simulator) as answering:
        await answering.sign_in()
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(
            b"GET /v2/iex HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(LIMIT_SECONDS):
            received = await reader.read()  # to the end, which is the server's doing
        writer.close()

        assert b"\x89" in received, "a ping"
        await answering.ask({"action": "subscribe", "trades": ["SPY"]})
        assert endpoint_state(simulator)["connections"] == 1
