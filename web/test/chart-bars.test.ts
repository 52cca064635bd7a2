import type { ISeriesApi } from "lightweight-charts";
import { expect, expectTypeOf, it } from "vitest";
import { applyBar, type BarSeries, type ChartBar, chartBar } from "../src/chart-bars.ts";
import type { Bar } from "../src/events.ts";

/** A bar of a minute. */
function bar(minute: number, close: number): Bar {
  return {
    event_id: "1-1",
    symbol: "SPY",
    open: 1,
    high: 9,
    low: 0.5,
    close,
    volume: 10,
    trade_count: 2,
    vwap: 1.5,
    revision: 0,
    final: true,
    timestamp: new Date(minute * 60_000).toISOString(),
  };
}

/** A series that throws where that of lightweight-charts does. */
class StrictSeries implements BarSeries {
  data: ChartBar[] = [];
  calls: string[] = [];
  setData(bars: ChartBar[]) {
    this.calls.push("setData");
    this.data = [...bars];
  }
  update(bar: ChartBar, historical = false) {
    this.calls.push(historical ? "historical" : "update");
    const last = this.data.at(-1)?.time ?? 0;
    const at = this.data.findIndex(({ time }) => time === bar.time);
    if (bar.time < last && !historical) throw new Error("Cannot update oldest data");
    if (at < 0 && historical) throw new Error("Cannot update non-existing data point");
    if (at < 0) this.data.push(bar);
    else this.data[at] = bar;
  }
}

it.each([
  ["the first bar", [], 5, "update"],
  ["a newer bar", [1, 2], 3, "update"],
  ["the last bar again", [1, 2], 2, "update"],
  ["an older bar of the chart", [1, 2, 3], 2, "historical"],
  ["an older bar that the chart lacks", [1, 3], 2, "setData"],
  ["a bar before all others", [2, 3], 1, "setData"],
])("%s takes the call that does not throw", (_, minutes, minute, call) => {
  const series = new StrictSeries();
  const bars = minutes.map((each) => chartBar(bar(each, 1)));
  series.data = [...bars];
  applyBar(series, bars, bar(minute, 2));
  expect(series.calls).toEqual([call]);
  expect(series.data).toEqual(bars);
  const times = [...new Set([...minutes, minute])].toSorted((a, b) => a - b);
  expect(bars.map(({ time, close }) => [time, close])).toEqual(
    times.map((each) => [each * 60, each === minute ? 2 : 1]),
  );
});

it("a series of lightweight-charts takes the bars", () => {
  expectTypeOf<ISeriesApi<"Candlestick">>().toExtend<BarSeries>();
  expectTypeOf<ISeriesApi<"Bar">>().toExtend<BarSeries>();
});
