/** The past prices of the watched symbols, one for each second. Pure. */

import type { MarketClient, Price } from "../src/index.ts";

/** A quarter of an hour. */
export const MOST_POINTS = 900;

/** A second's last price; `time` in unix seconds. */
export interface Point {
  time: number;
  price: number;
}

/** The newest points of one symbol, in a fixed amount of memory. */
class Ring {
  private readonly times = new Float64Array(MOST_POINTS);
  private readonly prices = new Float64Array(MOST_POINTS);
  private written = 0;

  get length(): number {
    return Math.min(this.written, MOST_POINTS);
  }
  /** Return the time of a point, counted back from the newest. */
  timeBack(count: number): number {
    return this.times[(this.written - 1 - count) % MOST_POINTS] ?? 0;
  }
  priceBack(count: number): number {
    return this.prices[(this.written - 1 - count) % MOST_POINTS] ?? 0;
  }
  put(time: number, price: number): boolean {
    if (this.written > 0) {
      const newest = this.timeBack(0);
      if (time < newest) return false;
      if (time === newest) this.written--;
    }
    const at = this.written++ % MOST_POINTS;
    this.times[at] = time;
    this.prices[at] = price;
    return true;
  }
}

export interface PriceHistory {
  /** Record a price. Return false, and ignore it, if it is older than the newest. */
  record(symbol: string, seconds: number, price: number): boolean;
  /** Return the points at and after a time, oldest first. */
  since(symbol: string, seconds: number): Point[];
  /** Forget all symbols but these. */
  keep(symbols: Iterable<string>): void;
}

export function createPriceHistory(): PriceHistory {
  const rings = new Map<string, Ring>();
  return {
    record(symbol, seconds, price) {
      let ring = rings.get(symbol);
      if (ring === undefined) {
        ring = new Ring();
        rings.set(symbol, ring);
      }
      return ring.put(Math.floor(seconds), price);
    },
    since(symbol, seconds) {
      const ring = rings.get(symbol);
      const points: Point[] = [];
      if (ring === undefined) return points;
      for (let back = 0; back < ring.length && ring.timeBack(back) >= seconds; back++)
        points.push({ time: ring.timeBack(back), price: ring.priceBack(back) });
      return points.reverse();
    },
    keep(symbols) {
      const kept = new Set(symbols);
      for (const symbol of rings.keys()) if (!kept.has(symbol)) rings.delete(symbol);
    },
  };
}

/** Record the prices that a client receives, until the returned function is called. */
export const followPrices = (
  client: Pick<MarketClient, "on">,
  history: PriceHistory,
): (() => void) =>
  client.on("price", ({ symbol, timestamp, price }: Price) => {
    if (timestamp !== null && price !== null)
      history.record(symbol, Date.parse(timestamp) / 1000, price);
  });
