import { describe, expect, it } from "vitest";
import { age, formats } from "../src/index.ts";

describe("formats", () => {
  const { money, signedMoney, price, signedPrice, percent, quantity } = formats("en-US", "USD");

  it("write money with two decimals and its currency", () => {
    expect(money(1204.1)).toBe("$1,204.10");
    expect(money(-1204.1)).toBe("-$1,204.10");
    expect(formats("en-US").money(1204.1)).toBe("1,204.10");
    expect(formats("de-DE", "EUR").money(1204.1)).toBe("1.204,10\u00a0€");
  });

  it("show plus and minus, and neither at zero", () => {
    expect(signedMoney(5)).toBe("+$5.00");
    expect(signedMoney(-5)).toBe("-$5.00");
    expect(signedMoney(0)).toBe("$0.00");
    expect(percent(0.0053)).toBe("+0.53%");
    expect(signedPrice(-0.1, 101)).toBe("-0.10");
  });

  it("never write minus zero", () => {
    for (const value of [-0, -0.001, -1e-9]) {
      expect(money(value)).toBe("$0.00");
      expect(signedMoney(value)).toBe("$0.00");
      expect(price(value, 100)).toBe("0.00");
      expect(percent(value / 100)).toBe("0.00%");
    }
    expect(quantity(-0)).toBe("0");
  });

  it("give a price two decimals, and four below 1, and another price those of the first", () => {
    expect(price(101.1)).toBe("101.10");
    expect(price(0.1234)).toBe("0.1234");
    expect(price(2, 0.5)).toBe("2.0000");
    expect(signedPrice(0.5, 101)).toBe("+0.50");
  });

  it("write as many decimals of a quantity as it has", () => {
    expect(quantity(1200)).toBe("1,200");
    expect(quantity(-0.000000123)).toBe("-0.000000123");
  });

  it("write a dash where there is no figure", () => {
    for (const write of [money, signedMoney, price, signedPrice, percent, quantity])
      expect([write(null), write(undefined)]).toEqual(["—", "—"]);
  });

  it("default to en-US", () => {
    expect(formats().money(1204.1)).toBe("1,204.10");
  });
});

describe("an age", () => {
  it("is in its largest whole unit, and never below zero", () => {
    expect([-500, 999, 59_999, 60_000, 3_599_999].map(age)).toEqual([
      ...["0 s", "0 s", "59 s", "1 min", "59 min"],
    ]);
    expect([3_600_000, 86_399_999, 86_400_000, 9 * 86_400_000].map(age)).toEqual([
      ...["1 h", "23 h", "24 h", "216 h"],
    ]);
  });
});
