"""The bars of our streams in a real chart of lightweight-charts, in a real Chromium."""

import json
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bar import Bar
from shared.bus.redis_source import RedisSource
from tests import installed
from tests.bars import FIRST, minute_bar, minute_of, running_bars
from tests.browser import JS, Browser, open_browser
from tests.event_stream import open_stream
from tests.examples import examples
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway
from tests.web.conftest import WEB

LIBRARY = WEB / "node_modules/lightweight-charts/dist/lightweight-charts.standalone.development.js"
"""The build that also throws at data in a wrong order, where the other one draws them."""

# Without the types, as a script that defines window.chartBars.
BUNDLE = """
import { build } from "vite";
const { output } = (await build({ configFile: false, logLevel: "error", build: { write: false,
  lib: { entry: "src/chart-bars.ts", formats: ["iife"], name: "chartBars" } } }))[0];
console.log(output[0].code.replace("var chartBars", "window.chartBars"));
"""

# Two charts get the same events: one by the three rules of the reference, one by applyBar.
PAGE = """
window.play = (start, events) => {
  const { chartBar, applyBar } = window.chartBars;
  const { createChart, CandlestickSeries } = window.LightweightCharts;
  const shown = [byRules, applyBar].map((apply) => {
    const element = document.body.appendChild(document.createElement("div"));
    const chart = createChart(element, { width: 300, height: 200 });
    const series = chart.addSeries(CandlestickSeries);
    const bars = start.map(chartBar);
    series.setData(bars);
    for (const event of events) apply(series, bars, event);
    const data = series.data().map(({ time, close }) => [time, close]);
    chart.remove();
    element.remove();
    return data;
  });
  return shown;
  function byRules(series, bars, event) {
    const bar = chartBar(event);
    if (event.late) {
      const at = bars.findIndex(({ time }) => time > bar.time);
      bars.splice(at, 0, bar);
      series.setData(bars);
    } else {
      const last = bars.at(-1);
      if (!last || bar.time > last.time) bars.push(bar);
      else bars[bars.findIndex(({ time }) => time === bar.time)] = bar;
      series.update(bar, last !== undefined && bar.time < last.time);
    }
  }
};
"""


@pytest.fixture(scope="module")
def bundle() -> str:
    node = installed.node(WEB, "run make web")
    command = [node, "--input-type=module", "--eval", BUNDLE]
    made = subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )
    return made.stdout


@pytest.fixture
async def charts(bundle: str) -> AsyncIterator[Browser]:
    node = installed.node(JS, "run npm ci in tests/foreign/js")
    async with open_browser(node, installed.program("chromium", "google-chrome")) as browser:
        await browser.do("open", url="about:blank")
        for script in (LIBRARY.read_text(), bundle, PAGE):
            await browser.do("evaluate", script=f"{script}\n;null")
        yield browser


async def play(charts: Browser, start: list[Any], events: list[Any]) -> list[list[list[float]]]:
    """Return the time and the close of each bar of both charts."""
    script = f"play({json.dumps(start)}, {json.dumps(events)})"
    found: list[list[list[float]]] = await charts.do("evaluate", script=script)
    return found


def told(bar: Bar) -> Any:
    """Return an event's data."""
    return msgspec.to_builtins(bar)


def bars_of(start: list[Any], events: list[Any]) -> list[list[float]]:
    """Return the time and the close of the newest version of each bar, oldest first."""
    newest = {minute_of(each["timestamp"]): each["close"] for each in (*start, *events)}
    return [[FIRST + minute * 60, close] for minute, close in sorted(newest.items())]


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Return bars of ``/api/bars``, and events as a stream sends them after these."""
    shown = draw(st.sets(st.integers(0, 12), max_size=8))
    start = [told(minute_bar(minute)) for minute in sorted(shown)]
    events = []
    minutes = draw(st.lists(st.integers(-2, 14), max_size=30))
    for close, minute in enumerate(minutes, 2):
        late = minute not in shown and minute < max(shown, default=minute)
        events.append(told(minute_bar(minute, float(close), late=late)))
        shown.add(minute)
    return start, events


async def test_no_event_makes_a_chart_throw_and_it_shows_the_bars(charts: Browser) -> None:
    drawn: list[tuple[list[Any], list[Any]]] = []

    @examples(times=2)
    @given(sequences())
    def draw(sequence: tuple[list[Any], list[Any]]) -> None:
        drawn.append(sequence)

    draw()
    for start, events in drawn:
        assert await play(charts, start, events) == [bars_of(start, events)] * 2
    assert any(event.get("late") for _, events in drawn for event in events)


async def test_a_chart_that_reads_bars_and_then_the_stream_shows_what_was_published(
    charts: Browser, source: RedisSource
) -> None:
    async with (
        running_bars(source) as bars,
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await bars.publish(*(minute_bar(minute) for minute in (0, 1, 3)))
        await bars.publish(minute_bar(4, 1.5, final=False), running=True)
        answer = (await client.get("/api/bars?symbols=SPY")).json()
        query = {"timeframe": "1Min", "interval": 0, "last_event_id": answer["last_event_id"]}
        async with open_stream(url, "/api/stream/bars", symbols="SPY", **query) as stream:
            await stream.until(lambda each: each.of("ready"))
            await bars.publish(minute_bar(5, 1.25, final=False), running=True)
            await bars.publish(minute_bar(4, 1.75))
            await bars.publish(minute_bar(1, 2.0, revision=1))
            await bars.publish(minute_bar(2, 2.25, late=True))
            await bars.publish(minute_bar(5, 0.75))
            await stream.until(lambda each: any(_is_last(b) for b in each.of("bar.1Min")))
            events = stream.of("bar.1Min")

    start = answer["bars"]["SPY"]
    closes = {0: 1.0, 1: 2.0, 2: 2.25, 3: 1.0, 4: 1.75, 5: 0.75}
    expected = [[FIRST + minute * 60, close] for minute, close in closes.items()]
    assert await play(charts, start, events) == [expected] * 2


def _is_last(event: Any) -> bool:
    return minute_of(event["timestamp"]) == 5 and bool(event["final"])


async def test_a_late_bar_that_is_not_marked_would_make_it_throw(charts: Browser) -> None:
    """Or the tests above could not fail."""
    start = [told(minute_bar(minute)) for minute in (0, 2)]
    unmarked = [told(minute_bar(1))]

    with pytest.raises(AssertionError, match="Cannot update non-existing data point"):
        await play(charts, start, unmarked)
