import { expect, test } from "vitest";
import { EventRate } from "../../page/event-rate.ts";
import { ClockOffset, LatencyMeter, RollingSamples } from "../../page/latency.ts";
import type { Price } from "../../src/index.ts";

const NOW = Date.UTC(2026, 10, 25, 20);

function price(symbol: string, exchangeMs: number, ingestMs: number): Price {
  return {
    symbol,
    timestamp: new Date(exchangeMs).toISOString(),
    received: ingestMs * 1000,
  } as Price;
}

test("percentiles are of the window, and there are none without samples", () => {
  const samples = new RollingSamples(10_000, 0);
  expect(samples.percentiles(NOW)).toBeNull();
  for (let value = 1; value <= 100; value++) samples.add(NOW + value, value);
  expect(samples.percentiles(NOW + 100)).toEqual({ p50: 50, p95: 95 });
  expect(samples.percentiles(NOW + 10_100)).toEqual({ p50: 100, p95: 100 });
  expect(samples.percentiles(NOW + 10_101)).toBeNull();
});

test("of a flood only some are measured, so that the window is still ten seconds", () => {
  const samples = new RollingSamples();
  for (let at = 0; at < 10_000; at++) samples.add(NOW + at, at < 5000 ? 1 : 2);
  expect(samples.percentiles(NOW + 10_000)).toEqual({ p50: 1, p95: 2 });
});

test("the clocks' offset is that of the fastest stamp and the shortest round trip", () => {
  const offset = new ClockOffset();
  offset.stamp(NOW + 5000 - 80, NOW); // the gateway is 5 s ahead; it was 80 ms on its way
  expect(offset.estimate).toBeNull();
  offset.trip(100);
  offset.trip(40);
  offset.stamp(NOW + 5000 - 20, NOW);
  offset.stamp(NOW + 5000 - 300, NOW);
  expect([offset.estimate, offset.error]).toEqual([5000, 20]);
});

test("stamps of long ago do not count: clocks drift", () => {
  const offset = new ClockOffset();
  offset.trip(0);
  offset.stamp(NOW + 500, NOW);
  for (let beat = 1; beat <= 32; beat++) offset.stamp(NOW + beat, NOW + beat);
  expect(offset.estimate).toBe(0);
});

test("each leg has its time, and what a gateway had stored has none", () => {
  const meter = new LatencyMeter();
  expect(meter.report(NOW)).toEqual({
    exchangeToIngest: null,
    ingestToGateway: null,
    gatewayToBrowser: null,
    clockError: null,
  });
  meter.streamStarted();
  meter.trip(20);
  meter.stamped(NOW + 990, NOW); // the gateway's clock is 1 s ahead, the way takes 10 ms
  meter.price(price("SPY", NOW - 3_600_000, NOW - 60_000), NOW);
  meter.price(price("SPY", NOW + 1000 - 50, NOW + 1000 - 30), NOW);
  expect(meter.report(NOW)).toEqual({
    exchangeToIngest: { p50: 20, p95: 20 },
    ingestToGateway: { p50: 20, p95: 20 },
    gatewayToBrowser: { p50: 10, p95: 10 },
    clockError: 10,
  });
});

test("only the leg that needs no clock of the browser is reported while the offset is unknown", () => {
  const meter = new LatencyMeter();
  meter.stamped(NOW, NOW);
  for (const ingest of [5, 7]) meter.price(price("SPY", NOW, NOW + ingest), NOW + ingest * 10);
  const { exchangeToIngest, ingestToGateway, gatewayToBrowser } = meter.report(NOW + 100);
  expect(exchangeToIngest).toEqual({ p50: 7, p95: 7 });
  expect([ingestToGateway, gatewayToBrowser]).toEqual([null, null]);
});

test("a rate is the mean of whole seconds, and null before the first", () => {
  const rate = new EventRate();
  expect(rate.perSecond(NOW)).toBeNull();
  for (let at = 0; at < 20_000; at += 100) rate.count(NOW + at);
  expect(rate.perSecond(NOW + 19_999)).toBe(10);
  expect(rate.perSecond(NOW + 25_000)).toBe(5);
  expect(rate.perSecond(NOW + 60_000)).toBe(0);
});
