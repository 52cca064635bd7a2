import { expect, test } from "vitest";
import { gatewayOf, intervalOf, parseWords, symbolsOf, withSymbols } from "../../page/address.ts";

test("the gateway of a page has the page's path, which a proxy may have put before it", () => {
  expect(gatewayOf("http://a:8001/?symbols=SPY#x")).toBe("http://a:8001");
  expect(gatewayOf("https://a/tapecast/?symbols=SPY")).toBe("https://a/tapecast");
  expect(gatewayOf("https://a/tapecast/index.html")).toBe("https://a/tapecast");
});

test("an address without symbols has those of the start, and an empty list stays empty", () => {
  expect(symbolsOf("").symbols).toEqual(["SPY", "IBM", "BAC", "AIG"]);
  expect(symbolsOf("?symbols=").symbols).toEqual([]);
});

test("words are symbols in capitals, each once, and other words are named", () => {
  expect(parseWords(" spy, brk.b;IBM spy 12$ <b> ")).toEqual({
    symbols: ["SPY", "BRK.B", "IBM"],
    bad: ["12$", "<B>"],
  });
});

test("pairs and options are symbols, and a pair gets its slash", () => {
  expect(parseWords("btcusd eth/usd AAPL261218c00250000 SPY   261218C00500000")).toEqual({
    symbols: ["BTC/USD", "ETH/USD", "AAPL261218C00250000", "SPY"],
    bad: ["261218C00500000"],
  });
});

test("an address keeps the order of its symbols and whatever else it says", () => {
  const search = withSymbols("?interval=0&symbols=OLD", ["IBM", "BRK.B", "AIG"]);
  expect(search).toBe("?symbols=IBM,BRK.B,AIG&interval=0");
  expect(symbolsOf(search).symbols).toEqual(["IBM", "BRK.B", "AIG"]);
});

test("an interval is a number of seconds from 0 to 60, or none", () => {
  const intervals = [
    "?interval=0",
    "?interval=0.5",
    "?interval=61",
    "?interval=x",
    "?interval=",
    "",
  ];
  expect(intervals.map(intervalOf)).toEqual([0, 0.5, undefined, undefined, undefined, undefined]);
});
