import { describe, expect, it } from "vitest";
import { totals } from "../src/index.ts";
import { position, unpriced } from "./played-client.ts";

describe("totals", () => {
  it("are exact to the cent where binary fractions are not", () => {
    const tenth = { market_value: 0.1, unrealized_pl: 0.1, unrealized_intraday_pl: 0.1 };
    const sums = totals(["A", "B", "C"].map((symbol) => position(symbol, 100, tenth)));
    expect([sums.market_value, sums.unrealized_pl, sums.unrealized_intraday_pl]).toEqual([
      ...[0.3, 0.3, 0.3],
    ]);
  });

  it("give gains as fractions of the cost, and of the value before the day", () => {
    const sums = totals([position("A", 111), position("B", 91)]);
    expect(sums).toMatchObject({ unrealized_pl: 20, unrealized_plpc: 0.01 });
    expect(sums).toMatchObject({ unrealized_intraday_pl: 0, unrealized_intraday_plpc: 0 });
  });

  it("count what short positions were sold for as paid", () => {
    const short = { market_value: -900, cost_basis: -1000, unrealized_pl: 100 };
    const sums = totals([position("A", 100), position("B", 90, { qty: -10, ...short })]);
    expect(sums).toMatchObject({ market_value: 100, unrealized_plpc: 0.05 });
  });

  it("have no percentage where nothing was paid", () => {
    expect(totals([position("A", 100, { cost_basis: 0, unrealized_pl: 1000 })])).toMatchObject({
      ...{ unrealized_pl: 1000, unrealized_plpc: null },
    });
    expect(totals([])).toMatchObject({ market_value: 0, unrealized_plpc: null, partial: false });
  });

  it("are partial without the positions that have no price, whose cost they lack too", () => {
    const sums = totals([position("A", 110), unpriced("B", "no trade yet")]);
    expect(sums).toMatchObject({ partial: true, unpriced: ["B"] });
    expect(sums).toMatchObject({ market_value: 1100, unrealized_plpc: 0.1 });
  });

  it("are partial where a day's gain is missing, and count the rest of that position", () => {
    const sums = totals([position("A", 110, { unrealized_intraday_pl: null }), position("B", 102)]);
    expect(sums).toMatchObject({ partial: true, unpriced: ["A"], market_value: 2120 });
    expect(sums.unrealized_intraday_plpc).toBe(10 / 1010);
  });

  it("are unknown where nothing of them is known, and zero without positions", () => {
    const sums = totals([unpriced("A", "no trade yet"), unpriced("B", "no trade yet")]);
    expect(sums).toMatchObject({ market_value: null, unrealized_pl: null, unrealized_plpc: null });
    expect(sums).toMatchObject({ unrealized_intraday_pl: null, unrealized_intraday_plpc: null });
    expect(totals([]).unrealized_intraday_pl).toBe(0);
  });
});
