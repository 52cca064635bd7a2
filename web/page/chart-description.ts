/** The chart in words, for screen readers. Pure. */

import type { Time } from "lightweight-charts";
import { figures } from "./figures.ts";
import type { Point } from "./price-history.ts";

const NEW_YORK = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** Return a time in unix seconds as the time of day in New York. */
export const clock = (time: Time): string => NEW_YORK.format(Number(time) * 1000);

/** Return the range, the last price and the previous close of the points. */
export function describeChart(
  symbol: string,
  points: readonly Point[],
  close: number | null,
): string {
  const { price } = figures();
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `No prices of ${symbol} yet`;
  const prices = points.map((each) => each.price);
  const range = `between ${price(Math.min(...prices))} and ${price(Math.max(...prices))}`;
  const before = close === null ? "" : `; previous close ${price(close)}`;
  return `${symbol} since ${clock(first.time as Time)} New York time: ${range}, last ${price(last.price)}${before}`;
}
