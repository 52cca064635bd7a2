import { expect, test } from "vitest";
import { createPriceHistory, followPrices, MOST_POINTS } from "../../page/price-history.ts";
import type { MarketClient } from "../../src/index.ts";

test("a second has its last price, and seconds only grow", () => {
  const history = createPriceHistory();
  expect(history.record("SPY", 100.1, 1)).toBe(true);
  expect(history.record("SPY", 100.9, 2)).toBe(true);
  expect(history.record("SPY", 102, 3)).toBe(true);
  expect(history.record("SPY", 101.9, 4)).toBe(false);
  expect(history.since("SPY", 0)).toEqual([
    { time: 100, price: 2 },
    { time: 102, price: 3 },
  ]);
});

test("new points start with the newest second, whose price may have changed", () => {
  const history = createPriceHistory();
  history.record("SPY", 100, 1);
  history.record("SPY", 101, 2);
  history.record("SPY", 101, 3);
  history.record("SPY", 102, 4);
  expect(history.since("SPY", 101)).toEqual([
    { time: 101, price: 3 },
    { time: 102, price: 4 },
  ]);
});

test("of more points than there is room for the newest are kept, in order", () => {
  const history = createPriceHistory();
  for (let second = 1; second <= 2 * MOST_POINTS + 7; second++)
    for (const price of [0, second]) history.record("SPY", second, price);
  const points = history.since("SPY", 0);
  expect(points).toHaveLength(MOST_POINTS);
  expect(points[0]).toEqual({ time: MOST_POINTS + 8, price: MOST_POINTS + 8 });
  expect(points.every(({ time }, at) => time === MOST_POINTS + 8 + at)).toBe(true);
});

test("symbols that are not kept are forgotten", () => {
  const history = createPriceHistory();
  history.record("SPY", 1, 1);
  history.record("IBM", 1, 1);
  history.keep(["IBM"]);
  expect([history.since("SPY", 0), history.since("IBM", 0)]).toEqual([[], [{ time: 1, price: 1 }]]);
});

test("prices are noted by the exchange's time", () => {
  const listeners = new Map<string, (data: never) => void>();
  const client: Pick<MarketClient, "on"> = {
    on(name, listener) {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  };
  const history = createPriceHistory();
  const unfollow = followPrices(client, history);
  const tell = (name: string, data: object) => listeners.get(name)?.(data as never);
  const timestamp = "2026-11-25T20:00:01.123456789Z";
  tell("price", { symbol: "SPY", price: 5, timestamp });
  tell("price", { symbol: "IBM", price: null, timestamp: null });
  tell("position", { symbol: "SPY", current_price: 9, timestamp });
  tell("price", { symbol: "BTC/USD", price: 7, timestamp });
  const time = Date.UTC(2026, 10, 25, 20, 0, 1) / 1000;
  expect(history.since("SPY", 0)).toEqual([{ time, price: 5 }]);
  expect(history.since("IBM", 0)).toEqual([]);
  expect(history.since("BTC/USD", 0)).toEqual([{ time, price: 7 }]);
  unfollow();
  expect(listeners.size).toBe(0);
});
