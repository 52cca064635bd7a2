import { describe, expect, it } from "vitest";
import { valued } from "../src/index.ts";
import { price } from "./played-client.ts";

const lot = (qty: number, avg_entry_price: number) => ({ symbol: "SPY", qty, avg_entry_price });

describe("a lot", () => {
  it("is valued exactly: 3 × 101.1 is 303.30", () => {
    expect(3 * 101.1).not.toBe(303.3);
    expect(valued(lot(3, 100.7), price("SPY", 101.1))).toMatchObject({
      ...{ market_value: 303.3, cost_basis: 302.1, unrealized_pl: 1.2 },
    });
  });

  it("has what the table shows of an account's position", () => {
    const position = valued(lot(1, 1), price("SPY", 1));
    const more = ["side", "asset_class", "price_source", "as_of", "event_id", "removed"];
    expect(Object.keys(position).filter((key) => more.includes(key))).toEqual([]);
    expect(Object.keys(valued(lot(1, 1)))).toEqual(Object.keys(position));
  });

  it("is rounded to cents half to even, as the gateway does, of large and of small figures", () => {
    const value = (qty: number, at: number) => valued(lot(qty, 1), price("SPY", at)).market_value;
    const prices = [0.1249, 0.125, 0.375, 1.005];
    expect(prices.map((at) => value(1, at))).toEqual([0.12, 0.12, 0.38, 1]);
    expect(prices.map((at) => value(-1, at))).toEqual([-0.12, -0.12, -0.38, -1]);
    expect(value(-3, 101.1)).toBe(-303.3);
    expect(value(90_071_992.547, 101.1)).toBe(9106278446.5);
    expect(value(0.000000001, 1_000_000_000)).toBe(1);
  });

  it("gains when its price falls after it was sold short", () => {
    expect(valued(lot(-10, 100), price("SPY", 90, { previous_close: 95 }))).toMatchObject({
      ...{ market_value: -900, cost_basis: -1000 },
      ...{ unrealized_pl: 100, unrealized_plpc: 0.1, unrealized_intraday_pl: 50 },
    });
  });

  it("has no percentage where it cost nothing", () => {
    expect(valued(lot(10, 0), price("SPY", 90))).toMatchObject({
      ...{ cost_basis: 0, unrealized_pl: 900, unrealized_plpc: null },
    });
  });

  it("has its cost, and why there is no more, without a price", () => {
    expect(valued(lot(10, 100), price("SPY", null, { reason: "no_trade_seen" }))).toMatchObject({
      ...{ cost_basis: 1000, reason: "no_trade_seen", current_price: null },
      ...{ market_value: null, unrealized_pl: null, unrealized_intraday_pl: null },
    });
  });

  it("has no day's gain where the close before is not known", () => {
    expect(valued(lot(1, 1), price("SPY", 2, { previous_close: null }))).toMatchObject({
      ...{ unrealized_pl: 1, unrealized_intraday_pl: null, unrealized_intraday_plpc: null },
    });
  });
});
