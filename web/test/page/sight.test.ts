import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Sight } from "../../page/sight.ts";

beforeEach(
  () => void vi.useFakeTimers({ toFake: ["requestAnimationFrame", "cancelAnimationFrame"] }),
);
afterEach(() => void vi.useRealTimers());

const row = (symbol: string, body: HTMLElement) => {
  const element = document.createElement("i");
  element.dataset.symbol = symbol;
  body.append(element);
  return (skipped: boolean) =>
    element.dispatchEvent(
      Object.assign(new Event("contentvisibilityautostatechange", { bubbles: true }), { skipped }),
    );
};

test("a few rows take their price in a frame, and all soon, each once", async () => {
  const sight = new Sight();
  const told: string[] = [];
  const listeners = Array.from({ length: 20 }, (_, index) => () => void told.push(`S${index}`));
  for (const _ of [1, 2]) listeners.forEach((each, index) => void sight.request(`S${index}`, each));
  await Promise.resolve();
  expect(told).toHaveLength(6);
  for (let frame = 0; frame < 3; frame++) vi.advanceTimersToNextFrame();
  expect(told).toEqual(listeners.map((_, index) => `S${index}`));
  expect(vi.getTimerCount()).toBe(0);
});

test("hidden rows do not delay visible rows", async () => {
  const sight = new Sight();
  const body = document.createElement("div");
  const unfollow = sight.follow(body);
  const turns = Array.from({ length: 50 }, (_, index) => row(`S${index}`, body));
  for (const turn of turns.slice(0, 49)) turn(true);
  const told: string[] = [];
  turns.forEach((_, index) => void sight.request(`S${index}`, () => told.push(`S${index}`)));
  await Promise.resolve();
  expect(told).toEqual(["S0", "S1", "S2", "S3", "S4", "S49"]);
  turns[0]?.(false);
  expect([sight.sees("S0"), sight.sees("S1")]).toEqual([true, false]);
  unfollow();
  expect(sight.sees("S1")).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("a listener that was removed is not called", async () => {
  const sight = new Sight();
  const listener = vi.fn();
  sight.request("SPY", listener);
  sight.forget(listener);
  await Promise.resolve();
  expect(listener).not.toHaveBeenCalled();
});
