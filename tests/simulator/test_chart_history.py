"""Charts of the time before the tape: larger bars are folds of the same minutes, and are cheap."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import httpx
import pytest

from simulator.protocol import rfc3339
from simulator.protocol.wire import Message
from simulator.rest.bar_pages import bar_page, bars_in_spans
from simulator.rest.historical import Window
from simulator.rest.timeframe import read_timeframe
from simulator.service import Simulator, SimulatorSettings
from simulator.tape import history as history_module
from simulator.tape.history import History
from simulator.tape.hours import AlwaysOpen, NyseHours, SwitchableHours
from simulator.tape.market import Market
from simulator.tape.recording import SHIPPED, DailyBar, Tape, read_tape
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import KEYS

MINUTE = 60 * rfc3339.SECOND
NOW = rfc3339.parse("2026-11-23T15:31:00Z")  # a Monday, 10:31 in New York
START = rfc3339.parse("2026-10-30T00:00:00Z")  # the clocks change two days later
QUIET_DAY = DailyBar(20.0, 20.4, 19.9, 20.1, 900)


@cache
def shipped() -> Tape:
    return read_tape(SHIPPED)


def market_of(hours: Any, volume: DailyBar | None = None, *, is_recorded: bool = False) -> Market:
    history = History(hours, is_invented=True)
    if volume is not None:
        history.record("SPY", [volume])
    if is_recorded:
        tape = shipped()
        history.record("SPY", [tape.sidecar.previous_daily_bars["SPY"]], tape.minutes["SPY"])
    market = Market(hours, history)
    market.observe({"T": "t", "S": "SPY", "p": 50.0, "s": 300, "i": 1, "t": NOW - 70 * MINUTE})
    market.observe({"T": "t", "S": "SPY", "p": 50.5, "s": 300, "i": 2, "t": NOW - 5 * MINUTE})
    return market


def chart(market: Market, timeframe: str, *, is_descending: bool = False) -> list[Message]:
    frame = read_timeframe(timeframe)
    length = frame.length or 0

    def between(start: int, end: int) -> Sequence[Message]:
        return market.folded("SPY", start, end, length, frame.fold, NOW)

    window = Window(START, NOW, 10_000, is_descending)
    return [bar for batch in bars_in_spans(between, length, window, NOW) for bar in batch]


@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "15Min", "1Hour", "7Hour"])
@pytest.mark.parametrize(
    ("hours", "given"),
    [
        (AlwaysOpen(), {}),
        (NyseHours(), {}),
        (NyseHours(), {"volume": QUIET_DAY}),
        (NyseHours(), {"is_recorded": True}),
    ],
)
def test_larger_bars_are_the_folds_of_the_minutes(
    timeframe: str, hours: Any, given: dict[str, Any]
) -> None:
    frame = read_timeframe(timeframe)
    minutes = list(market_of(hours, **given).minutes("SPY", START - 8 * 60 * MINUTE, NOW, NOW))
    expected = [bar for bar in frame.fold(minutes) if int(str(bar["t"])) >= START]
    market = market_of(hours, **given)

    assert len(expected) > 25
    assert chart(market, timeframe) == expected
    assert chart(market, timeframe) == expected  # those that are cached
    assert chart(market, timeframe, is_descending=True) == expected[::-1]


def test_a_late_trade_changes_the_hour_that_was_shown_before() -> None:
    market = market_of(NyseHours())
    late = rfc3339.parse("2026-11-20T15:10:00Z")
    before = {bar["t"]: bar for bar in chart(market, "1Hour")}
    market.observe({"T": "t", "S": "SPY", "p": 48.0, "s": 7_000_000, "i": 3, "t": late})
    after = {bar["t"]: bar for bar in chart(market, "1Hour")}

    hour = late - 10 * MINUTE
    assert {start for start in before if before[start] != after[start]} >= {hour}
    assert int(str(after[hour]["v"])) > 7_000_000 > int(str(before[hour]["v"]))


def test_a_chart_follows_a_change_of_the_sessions() -> None:
    hours = SwitchableHours()
    market = market_of(hours)
    regular = chart(market, "1Hour")
    hours.session = "post"  # every day has one regular minute

    assert len(regular) > 500
    assert len(chart(market, "1Hour")) < 40


def test_the_bars_that_are_kept_for_the_next_chart_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_module, "_CACHED_FOLDED_BARS", 100)
    history = History(AlwaysOpen(), is_invented=True)
    market = Market(AlwaysOpen(), history)
    market.observe({"T": "t", "S": "SPY", "p": 50.0, "s": 300, "i": 1, "t": NOW - MINUTE})
    shown = chart(market, "1Hour")

    kept = history._folds.values()
    assert len(shown) > 500
    assert 50 < sum(len(bars) + 1 for bars in kept) <= 100


async def test_a_page_pauses_after_each_batch_and_computes_none_beyond_its_limit() -> None:
    steps: list[str] = []

    async def pause() -> None:
        steps.append("pause")

    def bars_of(symbol: str, _window: Window) -> Iterator[Sequence[Message]]:
        for at in range(3):
            steps.append(symbol)
            yield [{"t": 2 * at}, {"t": 2 * at + 1}]

    page = await bar_page(["A", "B"], Window(0, 9, 7, is_descending=False), None, bars_of, pause)

    assert steps == ["A", "pause"] * 3 + ["B"]
    assert page["next_page_token"] is not None


async def test_other_requests_are_answered_while_a_long_chart_is_computed() -> None:
    settings = SimulatorSettings(
        tape=None, history=True, hours=NyseHours(), requests_per_minute=1_000_000
    )
    symbols = [f"S{number}" for number in range(24)]
    trade = {"T": "t", "p": 50.0, "s": 3, "i": 1, "t": NOW}
    query: dict[str, str | int] = {
        "symbols": ",".join(symbols),
        "timeframe": "1Min",
        "limit": 10_000,
        "feed": "iex",
    }
    query |= {"start": "2026-11-20"}
    async with (
        Simulator(settings, clock=lambda: NOW) as simulator,
        httpx.AsyncClient(
            base_url=simulator.rest_url, headers=KEYS, timeout=LIMIT_SECONDS
        ) as client,
    ):
        for symbol in symbols:
            await simulator.publish({**trade, "S": symbol})
        await client.get("/v2/clock")
        chart_request = asyncio.create_task(client.get("/v2/stocks/bars", params=query))
        answered = 0
        while not chart_request.done():
            answer = await client.get("/v2/clock")
            assert answer.status_code == 200
            answered += not chart_request.done()
        page = (await chart_request).json()

    assert sum(len(bars) for bars in page["bars"].values()) == 10_000
    assert answered > 4
