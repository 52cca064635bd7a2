"""The bars of a running simulator, over real sockets and HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.protocol import rfc3339
from simulator.protocol.wire import Format
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import NyseHours
from simulator.tape.recording import DailyBar
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import KEYS, StreamClient, endpoint_state, open_stream, until

MINUTE = 60 * rfc3339.SECOND
NOW = rfc3339.parse("2026-11-23T15:30:10Z")  # a Monday, an hour after the opening
ENDED = NOW // MINUTE * MINUTE - MINUTE
QUIET = SimulatorSettings(tape=None)
BARS = {"bars": ["SPY"], "updatedBars": ["SPY"], "dailyBars": ["SPY"]}


def trade(number: int, price: float, size: int, at: int = ENDED) -> dict[str, object]:
    made = {"T": "t", "S": "SPY", "i": number, "x": "V", "p": price, "s": size, "z": "B"}
    return {**made, "c": [" "], "t": at}


async def watching(client: StreamClient, **channels: Any) -> dict[str, Any]:
    await client.sign_in()
    return await client.ask({"action": "subscribe", **(channels or BARS)})


async def get(simulator: Simulator, path: str, **query: Any) -> Any:
    async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as client:
        answer = await client.get(f"/v2/stocks/{path}", params={"feed": "iex", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_bars_are_sent_to_those_who_subscribed_and_are_those_of_rest() -> None:
    async with (
        Simulator(QUIET, clock=lambda: NOW) as simulator,
        open_stream(simulator, form=Format.JSON) as client,
    ):
        acknowledged = await watching(client)
        await simulator.publish(trade(1, 10.0, 100))
        await simulator.publish(trade(2, 10.5, 300) | {"S": "IBM"})
        sent = await simulator.send_bars(ENDED)
        first = await client.receive_data(2)
        await simulator.publish(trade(3, 11.0, 100, ENDED + 1))
        await simulator.send_bars(ENDED, "u")
        [update] = await client.receive()
        again = await simulator.send_bars(ENDED)
        rest = await get(simulator, "bars", symbols="SPY", timeframe="1Min")
        latest = await get(simulator, "bars/latest", symbols="SPY,IBM,ZZZ")
        snapshot = await get(simulator, "snapshots", symbols="SPY")
        state: Any = simulator.state()

    assert {name: acknowledged[name] for name in BARS} == BARS
    assert sent == 3
    shown = {"S": "SPY", "o": 10, "h": 10, "l": 10, "c": 10, "v": 100, "n": 1, "vw": 10}
    day = shown | {"T": "d", "t": "2026-11-23T05:00:00Z"}
    assert sorted(first, key=lambda bar: str(bar["T"])) == [
        shown | {"T": "b", "t": "2026-11-23T15:29:00Z"},
        day,
    ]
    revised = {"o": 10, "h": 11, "l": 10, "c": 11, "v": 200, "n": 2, "vw": 10.5}
    assert update == {"T": "u", "S": "SPY", "t": "2026-11-23T15:29:00Z", **revised}
    [bar] = rest["bars"]["SPY"]
    assert update == {"T": "u", "S": "SPY", **bar}
    assert latest["bars"]["SPY"] == snapshot["SPY"]["minuteBar"] == bar
    assert list(latest["bars"]) == ["SPY", "IBM"]
    assert again == 1  # `d` comes each minute
    assert state["bars"]["sent"] == {"b": 2, "u": 1, "d": 2}
    assert state["endpoints"]["iex"]["dailyBars"] == ["SPY"]


async def test_the_bars_of_the_minute_before_the_start_count_as_sent() -> None:
    async with (
        Simulator(QUIET, clock=lambda: NOW) as simulator,
        open_stream(simulator) as client,
    ):
        await watching(client, bars=["SPY"])
        assert await simulator.send_bars(ENDED) == 0
        await simulator.publish(trade(1, 10.0, 100))
        assert await simulator.send_bars(ENDED) == 1
        [bar] = await client.receive()

    assert bar["T"] == "b"


@pytest.mark.parametrize(
    ("timeframe", "start", "volumes"),
    [
        ("1Min", "2026-11-23T15:00:00Z", [1, 2, 4, 8]),
        ("1T", "2026-11-23T15:04:00Z", [2, 4, 8]),
        ("5Min", "2026-11-23T15:00:00Z", [3, 4, 8]),
        ("5Min", "2026-11-23T15:01:00Z", [4, 8]),
        ("7Min", "2026-11-23T14:00:00Z", [1, 6, 8]),
        ("1Hour", "2026-11-23T15:00:00Z", [15]),
        ("4H", "2026-11-23T12:00:00Z", [15]),
        ("1Day", "2026-11-20", [100, 31]),
        ("1W", "2026-11-16", [100, 31]),
        ("1Month", "2026-11-01", [131]),
        ("12M", "2026-01-01", [131]),
    ],
)
@pytest.mark.parametrize("sort", ["asc", "desc"])
async def test_bars_of_any_time_frame(
    timeframe: str, start: str, volumes: list[int], sort: str
) -> None:
    days = {"SPY": [DailyBar(9.0, 9.0, 9.0, 9.0, 100)]}
    settings = SimulatorSettings(tape=None, previous_daily_bars=days, hours=NyseHours())
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        for number, (minute, size) in enumerate(
            [("15:00", 1), ("15:04", 2), ("15:05", 4), ("15:29", 8), ("15:30", 16)]
        ):
            at = rfc3339.parse(f"2026-11-23T{minute}:01Z")
            await simulator.publish(trade(number, 10.0, size, at))
        query = {"timeframe": timeframe, "start": start, "sort": sort}
        got = (await get(simulator, "bars", symbols="SPY", **query))["bars"]["SPY"]

    expected = volumes if sort == "asc" else volumes[::-1]
    assert [bar["v"] for bar in got] == expected


@pytest.mark.parametrize("timeframe", ["60Min", "0Min", "24Hour", "2Day", "5Month", "1Year", "Min"])
async def test_a_time_frame_that_alpaca_lacks_is_named(quiet: Simulator, timeframe: str) -> None:
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as client:
        path = f"/v2/stocks/bars?symbols=SPY&feed=iex&timeframe={timeframe}"
        answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (
        400,
        {"message": f"invalid timeframe: {timeframe}"},
    )


async def test_a_chart_is_full_in_the_first_second_and_marked_as_invented() -> None:
    settings = SimulatorSettings(history=True)
    symbols = "AIG,BAC,IBM,SPY"
    async with Simulator(settings) as simulator:
        query = {"symbols": symbols, "limit": 10_000, "start": "2020-01-01"}
        days = (await get(simulator, "bars", **query, timeframe="1Day"))["bars"]
        newest = {
            symbol: (
                await get(
                    simulator,
                    "bars",
                    symbols=symbol,
                    timeframe="1Min",
                    start="2020-01-01",
                    sort="desc",
                    limit=390,
                )
            )["bars"][symbol]
            for symbol in symbols.split(",")
        }
        snapshots = await get(simulator, "snapshots", symbols=symbols)
        state: Any = simulator.state()["bars"]

    for symbol, bars in newest.items():
        assert len(days[symbol]) >= 250
        assert len(bars) == 390
        starts = [rfc3339.parse(bar["t"]) for bar in bars]
        assert starts == sorted(set(starts), reverse=True)
        assert snapshots[symbol]["minuteBar"] is not None
    assert (state["recorded_days"], state["recorded_minutes"], state["invented"]) == (4, 2309, True)


async def test_the_pages_of_many_symbols_hold_each_bar_once() -> None:
    settings = SimulatorSettings(tape=None, history=True, hours=NyseHours())
    symbols = [f"S{number}" for number in range(30)]
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        for number, symbol in enumerate(symbols):
            await simulator.publish(trade(number, 10.0 + number, 1, NOW) | {"S": symbol})
        query = {
            "symbols": ",".join(symbols),
            "timeframe": "1Min",
            "start": "2026-11-20",
            "limit": 777,
        }
        got: list[tuple[str, str]] = []
        token: str | None = ""
        while token is not None:
            page = await get(simulator, "bars", **query, page_token=token)
            token = page["next_page_token"]
            got += [(symbol, bar["t"]) for symbol, bars in page["bars"].items() for bar in bars]

    # Friday's 390 minutes, and today's 60; the running minute is not among them
    assert len(got) == 30 * 450
    assert got == sorted(set(got))


async def test_pages_of_bars_that_rest_lacks_are_empty(quiet: Simulator) -> None:
    page = await get(quiet, "bars", symbols="SPY", timeframe="1Min")

    assert page == {"bars": {}, "next_page_token": None}


async def test_bars_that_a_fault_withholds_delays_or_repeats() -> None:
    async with (
        Simulator(QUIET, clock=lambda: NOW) as simulator,
        open_stream(simulator, form=Format.JSON) as client,
    ):
        await watching(client, bars=["*"], updatedBars=["*"])
        simulator.faults.lost_bars(symbol="SPY", minute="2026-11-23T15:29:00Z", seconds=60)
        await simulator.publish(trade(1, 10.0, 100))
        await simulator.publish(trade(2, 10.0, 100) | {"S": "IBM"})
        assert await simulator.send_bars(ENDED) == 1
        [bar] = await client.receive()
        connections = simulator.faults.updated_bar(symbol="SPY")
        [update] = await client.receive()
        with pytest.raises(ValueError, match="SPY has no bar of the minute 2026-11-23T15:00:00Z"):
            simulator.faults.updated_bar(symbol="SPY", minute="2026-11-23T15:00:00Z")
        with pytest.raises(ValueError, match="minute is 'noon', expected RFC-3339 text"):
            simulator.faults.updated_bar(symbol="SPY", minute="noon")
        with pytest.raises(ValueError, match="kind is 't', expected one of b"):
            simulator.faults.lost_bars(symbol="SPY", kind="t")
        with pytest.raises(ValueError, match="delay_seconds is 0, expected a number above 0"):
            simulator.faults.late_bars(symbol="SPY", delay_seconds=0)

    assert (bar["S"], update["S"], update["T"], update["v"]) == ("IBM", "SPY", "u", 100)
    assert connections == 1


async def test_bars_can_be_counted_until_the_faults_are_cleared(quiet: Simulator) -> None:
    many = [f"S{number}" for number in range(31)]
    async with open_stream(quiet) as client:
        await watching(client, trades=["SPY"])
        assert quiet.faults.counted_bars("iex") == 1
        refused = await client.ask({"action": "subscribe", "bars": many})
        counted = endpoint_state(quiet)["counts_bars"]
        quiet.faults.clear()
        accepted = await client.ask({"action": "subscribe", "bars": many})

    assert (refused["code"], counted) == (405, True)
    assert accepted["bars"] == many


async def test_bars_that_were_sent_during_a_cut_are_in_rest_alone() -> None:
    async with Simulator(QUIET, clock=lambda: NOW) as simulator:
        async with open_stream(simulator) as client:
            await watching(client)
            simulator.faults.reset()
        await simulator.publish(trade(1, 10.0, 100))
        await simulator.send_bars(ENDED)
        async with open_stream(simulator) as client:
            await watching(client)
            await simulator.publish(
                {"T": "b", "S": "SPY", "t": NOW, "v": 7, **dict.fromkeys("ohlc", 1)}
            )
            [bar] = await client.receive()
        rest = await get(simulator, "bars", symbols="SPY", timeframe="1Min")

    assert bar["v"] == 7
    assert [row["v"] for row in rest["bars"]["SPY"]] == [100]


async def test_a_burst_of_ten_thousand_bars_is_one_request() -> None:
    symbols = [f"S{number}" for number in range(10_000)]
    prices = dict.fromkeys("ohlc", 10.0)
    start = rfc3339.render(ENDED)
    bars = [
        {"T": "b", "S": symbol, "t": start, "v": 5, "n": 1, "vw": 10.0, **prices}
        for symbol in symbols
    ]
    async with (
        Simulator(QUIET, clock=lambda: NOW) as simulator,
        open_stream(simulator, max_size=None) as client,
        httpx.AsyncClient(timeout=LIMIT_SECONDS) as http,
    ):
        await watching(client, bars=["*"])
        answer = await http.post(f"{simulator.rest_url}/simulator/publish", json=bars)
        frames: list[list[dict[str, Any]]] = []
        while sum(len(frame) for frame in frames) < len(symbols):
            frames.append(await client.receive())

    assert answer.json() == {"published": 10_000}
    assert [bar["S"] for frame in frames for bar in frame] == symbols
    assert len(frames) < 10


async def test_a_tape_that_has_bars_of_its_own_sends_no_others(tmp_path: Path) -> None:
    line = '{"T":"%s","S":"SPY",%s"t":"2026-11-20T15:%sZ"}\n'
    bar = '"o":9,"h":9,"l":9,"c":9,"v":5,'
    tape = tmp_path / "bars.jsonl"
    tape.write_text(
        line % ("t", '"p":10,"s":100,', "29:01")
        + line % ("b", bar, "29:00")
        + line % ("t", '"p":10,"s":100,', "31:00"),
        encoding="utf-8",
    )
    settings = SimulatorSettings(tape=tape, speed=1, shift="days", hours=NyseHours(), loop=False)
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        await until(lambda: simulator.state()["replay"] == {"row": 2, "loop": 0, "rows": 3})
        rest = await get(simulator, "bars", symbols="SPY", timeframe="1Min")
        sent = await simulator.send_bars(ENDED)

    [bar_of_rest] = rest["bars"]["SPY"]
    assert (bar_of_rest["v"], bar_of_rest["t"]) == (5, "2026-11-23T15:29:00Z")
    assert sent == 0
