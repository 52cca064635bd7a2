/** The rules by which the events of bars reach a chart of lightweight-charts. */

import type { Bar } from "./events.ts";

/** Unix seconds, UTC; the type is that of lightweight-charts. */
export type ChartTime = number & { [Symbol.species]: "UTCTimestamp" };

/** A bar as lightweight-charts draws it. */
export interface ChartBar {
  time: ChartTime;
  open: number;
  high: number;
  low: number;
  close: number;
}

/** A series of lightweight-charts, or another one that takes bars as it does. */
export interface BarSeries {
  setData(bars: ChartBar[]): void;
  update(bar: ChartBar, historicalUpdate?: boolean): void;
}

export const chartBar = ({ timestamp, open, high, low, close }: Bar): ChartBar => ({
  time: (Date.parse(timestamp) / 1000) as ChartTime,
  open,
  high,
  low,
  close,
});

/**
 * Put an event's bar into a chart, and into `bars`, which are all bars of the chart, oldest first.
 *
 * lightweight-charts replaces a bar that it has, and appends one that is newer than all others. It
 * throws at an older one that it does not have, as events that are `late` bring it: only `setData`
 * can insert that.
 */
export function applyBar(series: BarSeries, bars: ChartBar[], event: Bar): void {
  const bar = chartBar(event);
  const last = bars.at(-1);
  if (last === undefined || bar.time > last.time) {
    bars.push(bar);
    series.update(bar);
    return;
  }
  const at = bars.findLastIndex(({ time }) => time <= bar.time);
  if (bars[at]?.time === bar.time) {
    bars[at] = bar;
    series.update(bar, bar.time < last.time);
  } else {
    bars.splice(at + 1, 0, bar);
    series.setData(bars);
  }
}
