"""Starting, stopping, REST over HTTP, and the command line."""

import asyncio
import gc
import signal
import socket
import sys
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from simulator import server
from simulator.__main__ import parse_arguments
from simulator.account.ledger import Holding
from simulator.crypto.book_tape import GEMINI
from simulator.options.recording import SHIPPED_OPTION_CHAINS, SHIPPED_OPTION_TAPE
from simulator.protocol.wire import Message
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import NyseHours, SwitchableHours
from simulator.tape.recording import TapeError
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import KEYS, endpoint_state, open_stream, until

TRADE = {"T": "t", "S": "BAC", "p": 13.91, "s": 100}


async def get(simulator: Simulator, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=simulator.rest_url) as client:
        return await client.get(path, headers=KEYS | headers)


async def test_stopping_says_goodbye_and_frees_the_port() -> None:
    async with AsyncExitStack() as streams:
        async with Simulator(SimulatorSettings(tape=None)) as first:
            client = await streams.enter_async_context(open_stream(first))
            await client.sign_in()
        with pytest.raises(ConnectionClosed) as caught:
            await client.receive()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    settings = SimulatorSettings(tape=None, port=first.port)
    async with Simulator(settings) as second, open_stream(second) as again:
        await again.sign_in()


async def test_a_taken_port_and_a_missing_tape_are_errors(quiet: Simulator) -> None:
    with pytest.raises(OSError, match="in use"):
        async with Simulator(SimulatorSettings(tape=None, port=quiet.port)):
            pass
    with pytest.raises(TapeError):
        async with Simulator(SimulatorSettings(tape=Path("nowhere.jsonl"))):
            pass


async def test_a_part_that_dies_is_heard_of(quiet: Simulator) -> None:
    def broken() -> int:
        raise RuntimeError("the clock stopped")

    simulator = Simulator(SimulatorSettings(tape=None), clock=broken)
    with pytest.raises(RuntimeError, match="clock"):
        async with simulator:
            await asyncio.wait_for(simulator.serve_forever(), LIMIT_SECONDS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"plan": "gold"},
        {"speed": 0.0},
        {"port": 65_536},
        {"splits": {"SPY": 0}},
        {"option_limits": {"bars": 5}},
        {"option_limits": {"quotes": -1}},
    ],
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimulatorSettings(**wrong)  # type: ignore[arg-type]


def test_the_secret_is_not_shown() -> None:
    assert "simulator-secret" not in repr(SimulatorSettings())


@pytest.mark.parametrize(
    "path", ["/v2/stocks/snapshots?symbols=SPY", "/v2/clock", "/v2/calendar", "/v2/positions"]
)
async def test_wrong_keys_are_refused(quiet: Simulator, path: str) -> None:
    answer = await get(quiet, path, **{"APCA-API-SECRET-KEY": "wrong"})

    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized."})


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("symbols=SPY,spy", 400, "invalid symbol: spy"),
        ("", 400, "symbols are required"),
        ("symbols=SPY&feed=x", 400, "invalid feed: x"),
        ("symbols=SPY&feed=sip", 403, "subscription does not permit querying recent SIP data"),
    ],
)
async def test_a_wrong_snapshot_request_is_explained(
    quiet: Simulator, query: str, status: int, text: str
) -> None:
    answer = await get(quiet, f"/v2/stocks/snapshots?{query}")

    assert answer.status_code == status
    assert answer.json()["message"] == text


async def test_snapshots_show_what_was_sent_and_leave_out_the_unknown(quiet: Simulator) -> None:
    await quiet.publish(TRADE | {"t": "2026-11-20T15:00:00.000000001Z"})

    answer = await get(quiet, "/v2/stocks/snapshots?symbols=BAC,ZZZ&feed=iex")

    assert list(answer.json()) == ["BAC"]
    assert answer.json()["BAC"]["latestTrade"] == {
        "p": 13.91,
        "s": 100,
        "t": "2026-11-20T15:00:00.000000001Z",
    }
    assert answer.headers["X-Ratelimit-Limit"] == "200"
    assert answer.headers["X-Ratelimit-Remaining"] == "199"


async def test_requests_beyond_the_budget_are_refused() -> None:
    async with Simulator(SimulatorSettings(tape=None, requests_per_minute=2)) as simulator:
        # four in a row: even if a minute ends among them, one is beyond its budget of two
        codes = [(await get(simulator, "/v2/clock")).status_code for _ in range(5)]
        data = await get(simulator, "/v2/stocks/snapshots?symbols=SPY")

    assert 429 in codes
    assert data.status_code == 200


async def test_the_hours_can_be_replaced() -> None:
    async with Simulator(SimulatorSettings(tape=None, hours=NyseHours())) as simulator:
        days = (await get(simulator, "/v2/calendar?start=2026-11-20&end=2026-11-23")).json()
        wrong = await get(simulator, "/v2/calendar?start=yesterday")

    assert [day["date"] for day in days] == ["2026-11-20", "2026-11-23"]
    assert wrong.json() == {"message": "invalid start: yesterday"}


async def test_the_account_follows_the_prices(quiet: Simulator) -> None:
    before = (await get(quiet, "/v2/positions")).json()[0]
    await quiet.publish(TRADE)
    after = (await get(quiet, "/v2/positions")).json()[0]

    assert (before["current_price"], after["current_price"]) == (None, "13.91")
    assert after["market_value"] == "1905.67"


async def test_positions_can_be_set_and_changed_while_it_runs() -> None:
    settings = SimulatorSettings(tape=None, positions=[Holding("SPY", Decimal(5))])
    async with Simulator(settings) as simulator:
        before = (await get(simulator, "/v2/positions")).json()
        simulator.positions = [Holding("AIG", Decimal(-2), Decimal("48.5"))]
        after = (await get(simulator, "/v2/positions")).json()
        simulator.positions = []
        none = (await get(simulator, "/v2/positions")).json()

    assert [(one["symbol"], one["qty"], one["cost_basis"]) for one in before] == [
        ("SPY", "5", "500")
    ]
    assert [(one["symbol"], one["qty"], one["side"]) for one in after] == [("AIG", "-2", "short")]
    assert none == []


async def test_the_market_closes_while_it_runs() -> None:
    switchable = SwitchableHours()
    async with Simulator(SimulatorSettings(tape=None, hours=switchable)) as simulator:
        before = (await get(simulator, "/v2/clock")).json()
        switchable.session = "closed"
        after = (await get(simulator, "/v2/clock")).json()
        [day] = (await get(simulator, "/v2/calendar?start=2026-11-23&end=2026-11-23")).json()

    assert (before["is_open"], after["is_open"]) == (True, False)
    assert (day["open"], day["session_open"]) == ("23:58", "2357")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_rest_fails_below_a_path_as_often_as_armed(quiet: Simulator, status: int) -> None:
    quiet.faults.rest(status=status, path="/v2/stocks", count=1)
    clock = await get(quiet, "/v2/clock")
    failed, fine = [await get(quiet, "/v2/stocks/snapshots?symbols=SPY") for _ in range(2)]

    assert (clock.status_code, failed.status_code, fine.status_code) == (200, status, 200)
    remaining = [answer.headers["X-Ratelimit-Remaining"] for answer in (failed, fine)]
    assert remaining == ["0" if status == 429 else "199", "198"]
    assert int(failed.headers["X-Ratelimit-Reset"]) > 0


async def test_rest_answers_late_and_nobody_waits_beyond_the_end() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        simulator.faults.rest(delay_seconds=0.1)
        assert (await get(simulator, "/v2/clock")).status_code == 200
        simulator.faults.rest(delay_seconds=3600)
        waiting = asyncio.create_task(get(simulator, "/v2/clock"))
        await until(lambda: not simulator.state()["faults"])
    with suppress(httpx.HTTPError):
        await asyncio.wait_for(waiting, LIMIT_SECONDS)


async def test_the_state_needs_no_keys() -> None:
    async with Simulator(SimulatorSettings()) as simulator, httpx.AsyncClient() as client:
        state = (await client.get(f"{simulator.rest_url}/simulator/state")).json()

    assert set(state) == {
        *("account", "bars", "capture", "crypto", "endpoints", "faults", "invented", "options"),
        "replay",
    }
    names = {"iex", "sip", "test", "news", "crypto", "us-1", "eu-1", "indicative", "opra"}
    assert set(state["endpoints"]) == names | {"account"}
    assert state["replay"]["rows"] == 56_071


def test_the_command_invents_symbols_only_if_it_is_asked_to() -> None:
    given = [[], ["--invent"], ["--no-invent"]]

    assert [parse_arguments(each).invents for each in given] == [False, True, False]


async def test_a_listener_gets_each_message_that_rest_has_from_hand_book_and_fault() -> None:
    heard: list[Message] = []
    async with Simulator(SimulatorSettings(tape=None), on_message=heard.append) as simulator:
        bids, asks = [{"p": 9.0, "s": 1.0}], [{"p": 9.5, "s": 2.0}]
        await simulator.publish({"T": "o", "S": "BTC/USD", "b": bids, "a": asks, "r": True})
        await simulator.publish(TRADE)
        simulator.faults.send_messages("iex", [TRADE])

    assert [(each["T"], each["S"]) for each in heard] == [
        ("o", "BTC/USD"),
        ("q", "BTC/USD"),
        ("t", "BAC"),
        ("t", "BAC"),
    ]
    assert all(isinstance(each["t"], int) for each in heard)


async def test_a_message_is_heard_before_an_order_fills_by_it() -> None:
    heard: list[object] = []
    order = {"symbol": "BAC", "qty": "1", "side": "sell", "type": "market", "time_in_force": "day"}
    async with Simulator(
        SimulatorSettings(tape=None),
        on_update=lambda update: heard.append(update["event"]),
        on_message=lambda message: heard.append(message["T"]),
    ) as simulator:
        async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as client:
            assert (await client.post("/v2/orders", json=order)).status_code == 200
        await simulator.publish(TRADE)

    assert heard == ["new", "t", "fill"]


async def test_the_tapes_can_be_ended_while_everything_else_continues() -> None:
    heard: list[Message] = []
    settings = SimulatorSettings(crypto_tape=GEMINI, option_tape=SHIPPED_OPTION_TAPE)
    async with Simulator(settings, on_message=heard.append) as simulator:
        serving = asyncio.create_task(simulator.serve_forever())
        await until(lambda: any(each["S"] == "FIL/USD" for each in heard))
        simulator.end_replays()
        await until(lambda: all(task.done() for task in simulator._replays))
        await asyncio.sleep(0)
        assert not serving.done()
        heard.clear()
        await simulator.publish(TRADE)
        serving.cancel()
        await asyncio.wait([serving])

    assert [each["S"] for each in heard] == ["BAC"]


async def test_the_state_of_one_stream_is_that_of_the_whole_state(quiet: Simulator) -> None:
    async with open_stream(quiet, "crypto") as client:
        await client.sign_in()
        assert quiet.stream_state("crypto") == endpoint_state(quiet, "crypto")
        assert quiet.stream_state("crypto")["sessions"] == 1


def test_the_command_has_the_recorded_options_unless_they_are_left_out() -> None:
    whole, bare = parse_arguments([]), parse_arguments(["--no-options"])

    assert (whole.option_tape, whole.option_chains) == (SHIPPED_OPTION_TAPE, SHIPPED_OPTION_CHAINS)
    assert (bare.option_tape, bare.option_chains) == (None, ())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--speed", "10"]
    running = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    assert running.stdout is not None
    line = await asyncio.wait_for(running.stdout.readline(), LIMIT_SECONDS)
    running.send_signal(number)
    _, errors = await asyncio.wait_for(running.communicate(), LIMIT_SECONDS)

    assert line.startswith(b"simulator: ws://127.0.0.1:")
    assert b"us_consolidated_20131007_open" in line
    assert b"crypto_gemini_20210624" in line
    assert b"key PKSIMULATOR, secret simulator-secret" in line
    assert (running.returncode, errors) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tape", "nowhere.jsonl.gz"], "nowhere.jsonl.gz: No such file"),
        (["--tape", "{broken}"], "broken.jsonl, line 1: not a JSON object"),
        (["--speed", "0"], "speed is 0.0"),
        (["--plan", "gold"], "invalid choice"),
        (["--crypto-tape", "nowhere.jsonl"], "nowhere.jsonl: No such file"),
    ],
)
async def test_the_command_refuses_bad_input(
    tmp_path: Path, arguments: list[str], problem: str
) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("no json\n")
    given = [argument.replace("{broken}", str(broken)) for argument in arguments]
    command = [sys.executable, "-m", "simulator", "--port", "0", *given]
    ended = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    _, errors = await asyncio.wait_for(ended.communicate(), LIMIT_SECONDS)

    assert ended.returncode == 2
    assert problem in errors.decode()
    assert "Traceback" not in errors.decode()


def test_the_command_takes_another_tape_of_pairs_or_none() -> None:
    given = [["--crypto-tape", "own.jsonl"], ["--crypto-tape", "none"], []]

    assert [parse_arguments(each).crypto_tape for each in given] == [
        Path("own.jsonl"),
        None,
        GEMINI,
    ]
    assert parse_arguments(["--crypto-symbol-limit", "5"]).crypto_symbol_limit == 5


async def test_stopping_waits_for_connections_instead_of_polling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "DATE_SECONDS", 10 * LIMIT_SECONDS)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(seconds)

    async with (
        AsyncExitStack() as streams,
        Simulator(SimulatorSettings(tape=None)) as simulator,
    ):
        client = await streams.enter_async_context(open_stream(simulator))
        await client.sign_in()
        monkeypatch.setattr(asyncio, "sleep", noted)
    assert set(pauses) <= {0}


@pytest.mark.parametrize("iterations", range(6))
async def test_a_connection_that_arrives_during_the_stop_is_closed(iterations: int) -> None:
    with socket.socket() as client:
        async with AsyncExitStack() as life:
            simulator = await life.enter_async_context(Simulator(SimulatorSettings(tape=None)))
            stopping = asyncio.create_task(life.aclose())
            for _ in range(iterations):
                await asyncio.sleep(0)
            # The kernel connects at once; the event loop accepts at another step of the stop.
            with suppress(ConnectionRefusedError):  # the port was closed already
                client.connect(("127.0.0.1", simulator.port))
            await stopping

        client.settimeout(0)
        with suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            # A socket that still is open would raise BlockingIOError.
            assert client.recv(1) == b""
    gc.collect()  # warns of a transport that was dropped without being closed
