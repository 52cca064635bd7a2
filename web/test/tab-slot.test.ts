import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createMarketClient, type MarketClient } from "../src/client.ts";
import { acquireSlot } from "../src/tab-slot.ts";
import { FakeGateway } from "./fake-gateway.ts";

const GATEWAY = "http://gateway.example";
let locked: Set<string>;
let gateway: FakeGateway;
const clients: MarketClient[] = [];

/** A tab of a browser whose locks and connections are shared by all of its tabs. */
function tab(): MarketClient {
  const client = createMarketClient({ url: GATEWAY, fetch: gateway.fetch });
  clients.push(client);
  client.watch(["price:SPY"]);
  return client;
}

beforeEach(() => {
  vi.useFakeTimers();
  locked = new Set();
  gateway = new FakeGateway();
  vi.stubGlobal("EventSource", function (this: unknown, url: string) {
    return gateway.eventSource(url);
  });
  const request = async (
    name: string,
    _: LockOptions,
    granted: (lock: object | null) => unknown,
  ): Promise<unknown> => {
    if (locked.has(name)) return granted(null);
    locked.add(name);
    try {
      return await granted({ name });
    } finally {
      locked.delete(name);
    }
  };
  vi.stubGlobal("navigator", { onLine: true, locks: { request } });
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("lets five tabs stream over HTTP/1.1, and shows the reason in the sixth", async () => {
  const tabs = [1, 2, 3, 4, 5, 6].map(tab);
  await vi.advanceTimersByTimeAsync(60);
  expect(gateway.streams).toHaveLength(5);
  const connections = tabs.map((each) => each.get("connection"));
  expect(connections.map((each) => each?.state)).toEqual([...Array(5).fill("connecting"), "limit"]);
  expect(connections[5]).toMatchObject({
    label: "Limit",
    error: { code: "limit", retryable: true },
  });
  expect(connections[5]?.detail).toMatch(/five of this browser's six HTTP\/1.1 connections/);
});

it("lets the sixth in when one of the five is closed", async () => {
  const tabs = [1, 2, 3, 4, 5, 6].map(tab);
  await vi.advanceTimersByTimeAsync(60);
  tabs[2]?.close();
  await vi.advanceTimersByTimeAsync(3000);
  expect(gateway.streams).toHaveLength(6);
  expect(locked.size).toBe(5);
});

it("holds one slot however often a tab connects, and releases it", async () => {
  const client = tab();
  await vi.advanceTimersByTimeAsync(60);
  for (let n = 0; n < 3; n++) {
    client.reconnect();
    client.reconnect();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(locked.size).toBe(1);
  client.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(locked.size).toBe(0);
});

it("releases the slot of a tab that was closed while it was being acquired", async () => {
  const client = tab();
  await vi.advanceTimersByTimeAsync(49);
  vi.advanceTimersByTime(1);
  client.close();
  await vi.advanceTimersByTimeAsync(10);
  expect(locked.size).toBe(0);
  expect(gateway.streams).toHaveLength(0);
});

it("limits no streams over TLS, where there may be HTTP/2", async () => {
  for (let n = 0; n < 7; n++) expect(await acquireSlot("https://gateway.example")).toBeDefined();
  expect(locked.size).toBe(0);
});

it("limits no streams if locks are unavailable", async () => {
  vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new Error("no")) } });
  expect(await acquireSlot(GATEWAY)).toBeDefined();
  vi.stubGlobal("navigator", {});
  expect(await acquireSlot(GATEWAY)).toBeDefined();
});
