/** The chart itself: a module of its own, which is loaded when the page already stands. */

import {
  AreaSeries,
  type AutoscaleInfo,
  createChart,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineStyle,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { figures } from "./figures.ts";
import { MOST_POINTS, type Point, type PriceHistory } from "./price-history.ts";

export interface PriceChart {
  /** Show what is new of a symbol. */
  draw(symbol: string, history: PriceHistory, previousClose: number | null): void;
  /** Take the colours that the page has now. */
  restyle(): void;
  close(): void;
}

const NEW_YORK = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const clock = (time: Time) => NEW_YORK.format(Number(time) * 1000);
/** So many points more than are kept are drawn before the oldest are left out. */
const SLACK = 60;

const point = ({ time, price }: Point) => ({ time: time as UTCTimestamp, value: price });

/** Return as many points as are ever kept, empty ones first: a chart that stays open grows no more. */
function filled(points: readonly Point[]) {
  const missing = points.length > 0 ? MOST_POINTS - points.length : 0;
  const begin = (points[0]?.time ?? 0) - missing;
  const empty = Array.from({ length: missing }, (_, at) => ({
    time: (begin + at) as UTCTimestamp,
  }));
  return [...empty, ...points.map(point)];
}

export function createPriceChart(element: HTMLElement): PriceChart {
  const chart: IChartApi = createChart(element, {
    autoSize: true,
    // The logo would bring a <style>, which the page's policy forbids: a link stands in for it.
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
  });
  const series: ISeriesApi<"Area"> = chart.addSeries(AreaSeries, {
    lineWidth: 2,
    autoscaleInfoProvider: (own: () => AutoscaleInfo | null) => withClose(own(), close),
  });
  let shown = "";
  let newest = 0;
  let count = 0;
  let close: number | null = null;
  let line: IPriceLine | null = null;
  let tone: "up" | "down" | "accent" = "accent";
  let colours = readColours(element);

  function draw(symbol: string, history: PriceHistory, previousClose: number | null) {
    const anew = symbol !== shown || newest === 0;
    const whole = anew || count > MOST_POINTS + SLACK;
    const points = history.since(symbol, whole ? 0 : newest);
    if (whole) {
      series.setData(filled(points));
      if (anew) chart.timeScale().resetTimeScale();
      count = MOST_POINTS;
    } else for (const each of points) series.update(point(each));
    const last = points.at(-1);
    const fresh = last !== undefined && last.time !== newest;
    shown = symbol;
    newest = last?.time ?? (whole ? 0 : newest);
    // The first of them is the newest second again.
    if (!whole) count += Math.max(0, points.length - 1);
    if (whole || previousClose !== close) showClose(previousClose);
    const now = last && close !== null ? toneOf(last.price - close) : "accent";
    if (last && now !== tone) {
      tone = now;
      paint();
    }
    if (whole || fresh) describe(symbol, history);
  }
  function showClose(previousClose: number | null) {
    close = previousClose;
    if (line !== null) series.removePriceLine(line);
    line = null;
    if (close === null) return;
    line = series.createPriceLine({
      price: close,
      title: "close",
      lineStyle: LineStyle.Dashed,
      lineWidth: 1,
      color: colours.secondary,
      axisLabelVisible: true,
    });
  }
  function restyle() {
    colours = readColours(element);
    const { ink, line: rule, secondary } = colours;
    chart.applyOptions({
      layout: { textColor: secondary, fontFamily: getComputedStyle(element).fontFamily },
      grid: { vertLines: { visible: false }, horzLines: { color: rule } },
      crosshair: {
        vertLine: { color: secondary, labelBackgroundColor: ink },
        horzLine: { color: secondary, labelBackgroundColor: ink },
      },
    });
    line?.applyOptions({ color: secondary });
    paint();
  }
  function paint() {
    const lineColor = colours[tone];
    series.applyOptions({
      lineColor,
      topColor: fainter(lineColor, 0.22),
      bottomColor: fainter(lineColor, 0),
    });
  }
  function describe(symbol: string, history: PriceHistory) {
    element.setAttribute("aria-label", summary(symbol, history.since(symbol, 0), close));
  }
  restyle();
  return { draw, restyle, close: () => chart.remove() };
}

const toneOf = (change: number): "up" | "down" | "accent" =>
  change > 0 ? "up" : change < 0 ? "down" : "accent";

/** Have the close before on the chart, unless the prices would be a flat line beside it. */
function withClose(info: AutoscaleInfo | null, close: number | null): AutoscaleInfo | null {
  if (!info?.priceRange || close === null) return info;
  const { minValue, maxValue } = info.priceRange;
  const low = Math.min(minValue, close);
  const high = Math.max(maxValue, close);
  if (high - low > 3 * (maxValue - minValue)) return info;
  return { ...info, priceRange: { minValue: low, maxValue: high } };
}

/** Say what the chart shows. */
export function summary(symbol: string, points: readonly Point[], close: number | null): string {
  const { price } = figures();
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `No prices of ${symbol} yet`;
  const prices = points.map((each) => each.price);
  const range = `between ${price(Math.min(...prices))} and ${price(Math.max(...prices))}`;
  const before = close === null ? "" : `; previous close ${price(close)}`;
  return `${symbol} since ${clock(first.time as Time)} New York time: ${range}, last ${price(last.price)}${before}`;
}

const COLOURS = ["ink", "secondary", "line", "accent", "up", "down"] as const;

/** Return what the page's colours are now, as `rgb(…)`: the chart reads no others. */
function readColours(element: HTMLElement): Record<(typeof COLOURS)[number], string> {
  const found = COLOURS.map((name) => {
    element.style.color = `var(--${name})`;
    return [name, getComputedStyle(element).color];
  });
  element.style.color = "";
  return Object.fromEntries(found);
}

const fainter = (rgb: string, alpha: number) =>
  rgb.replace(/^rgba?\(([^)]+)\)$/, (_, parts: string) => {
    const [red, green, blue] = parts.split(/[\s,/]+/);
    return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  });
