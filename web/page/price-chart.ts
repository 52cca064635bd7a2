/** The chart of a symbol's prices. This module is loaded after the page has been rendered. */

import {
  AreaSeries,
  type AutoscaleInfo,
  createChart,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineStyle,
  type UTCTimestamp,
} from "lightweight-charts";
import { clock, describeChart } from "./chart-description.ts";
import { areaOptions, type Colours, frameOptions, readColours, type Tone } from "./chart-looks.ts";
import { MOST_POINTS, type Point, type PriceHistory } from "./price-history.ts";

/** The oldest points are removed once this many more than `MOST_POINTS` have been drawn. */
const SLACK_POINTS = 60;

const OPTIONS = {
  autoSize: true,
  // The logo would add a <style>, which the page's policy forbids. The panel shows a link instead.
  layout: { attributionLogo: false, background: { color: "transparent" }, fontSize: 11 },
  localization: { timeFormatter: clock, locale: "en-US" },
  timeScale: { borderVisible: false, tickMarkFormatter: clock, rightOffset: 8, barSpacing: 4 },
  rightPriceScale: {
    borderVisible: false,
    entireTextOnly: true,
    scaleMargins: { top: 0.12, bottom: 0.08 },
  },
  handleScroll: { mouseWheel: false, vertTouchDrag: false },
  handleScale: { mouseWheel: false },
};

export class PriceChart {
  private readonly chart: IChartApi;
  private readonly series: ISeriesApi<"Area">;
  private symbol = "";
  /** The time of the newest drawn point, unix seconds; 0 before the first. */
  private newest = 0;
  private drawnPoints = 0;
  private previousClose: number | null = null;
  private closeLine: IPriceLine | null = null;
  private tone: Tone = "accent";
  private colours: Colours;

  constructor(private readonly element: HTMLElement) {
    this.chart = createChart(element, OPTIONS);
    this.series = this.chart.addSeries(AreaSeries, {
      lineWidth: 2,
      autoscaleInfoProvider: (own: () => AutoscaleInfo | null) =>
        withClose(own(), this.previousClose),
    });
    this.colours = readColours(element);
    this.restyle();
  }

  /** Draw the points of a symbol that are new since the last call. */
  draw(symbol: string, history: PriceHistory, previousClose: number | null): void {
    const replaced = symbol !== this.symbol || this.newest === 0;
    // A chart cannot remove single points: it is drawn again with the newest ones.
    const whole = replaced || this.drawnPoints > MOST_POINTS + SLACK_POINTS;
    const points = history.since(symbol, whole ? 0 : this.newest);
    const last = points.at(-1);
    const advanced = last !== undefined && last.time !== this.newest;
    if (whole) {
      this.series.setData(padded(points));
      if (replaced) this.chart.timeScale().resetTimeScale();
      this.drawnPoints = MOST_POINTS;
    } else {
      for (const each of points) this.series.update(pointOf(each));
      // The first of them is the newest second again, with its last price.
      this.drawnPoints += Math.max(0, points.length - 1);
    }
    this.symbol = symbol;
    this.newest = last?.time ?? (whole ? 0 : this.newest);
    if (whole || previousClose !== this.previousClose) this.drawClose(previousClose);
    if (last) this.setTone(toneOf(last.price, previousClose));
    if (whole || advanced) {
      const text = describeChart(symbol, history.since(symbol, 0), previousClose);
      this.element.setAttribute("aria-label", text);
    }
  }
  /** Apply the page's present colours. */
  restyle(): void {
    this.colours = readColours(this.element);
    const { fontFamily } = getComputedStyle(this.element);
    this.chart.applyOptions(frameOptions(this.colours, fontFamily));
    this.closeLine?.applyOptions({ color: this.colours.secondary });
    this.series.applyOptions(areaOptions(this.colours[this.tone]));
  }
  close(): void {
    this.chart.remove();
  }
  private drawClose(previousClose: number | null) {
    this.previousClose = previousClose;
    if (this.closeLine !== null) this.series.removePriceLine(this.closeLine);
    this.closeLine = null;
    if (previousClose === null) return;
    this.closeLine = this.series.createPriceLine({
      price: previousClose,
      title: "close",
      lineStyle: LineStyle.Dashed,
      lineWidth: 1,
      color: this.colours.secondary,
      axisLabelVisible: true,
    });
  }
  private setTone(tone: Tone) {
    if (tone === this.tone) return;
    this.tone = tone;
    this.series.applyOptions(areaOptions(this.colours[tone]));
  }
}

const pointOf = ({ time, price }: Point) => ({ time: time as UTCTimestamp, value: price });

/** Fill up to `MOST_POINTS` with empty points at the start, so that the time axis does not grow. */
function padded(points: readonly Point[]) {
  const count = points.length > 0 ? MOST_POINTS - points.length : 0;
  const start = (points[0]?.time ?? 0) - count;
  const empty = Array.from({ length: count }, (_, at) => ({ time: (start + at) as UTCTimestamp }));
  return [...empty, ...points.map(pointOf)];
}

function toneOf(price: number, previousClose: number | null): Tone {
  if (previousClose === null || price === previousClose) return "accent";
  return price > previousClose ? "up" : "down";
}

/** Include the previous close in the price axis, unless it would flatten the line of prices. */
function withClose(info: AutoscaleInfo | null, close: number | null): AutoscaleInfo | null {
  if (!info?.priceRange || close === null) return info;
  const { minValue, maxValue } = info.priceRange;
  const low = Math.min(minValue, close);
  const high = Math.max(maxValue, close);
  if (high - low > 3 * (maxValue - minValue)) return info;
  return { ...info, priceRange: { minValue: low, maxValue: high } };
}
