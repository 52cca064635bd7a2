/** The state machine where two things happen at once. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMarketClient, type MarketClient } from "../src/client.ts";
import { FakeGateway, refuse } from "./fake-gateway.ts";

let gateway: FakeGateway;
let client: MarketClient;
let release: () => void;

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(async () => {
  vi.useFakeTimers();
  gateway = new FakeGateway();
  client = createMarketClient({
    fetch: gateway.fetch,
    eventSource: gateway.eventSource,
    random: () => 0.5,
  });
  release = client.watch(["price:SPY"]);
  await after(50);
  gateway.stream.open();
});

afterEach(() => {
  client.close();
  expect(gateway.open).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("while the gateway does not answer a change of topics", () => {
  beforeEach(async () => {
    gateway.changeAnswers = [new Promise(() => {})];
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.changes).toHaveLength(1);
  });

  it("a lost stream is opened again with all wanted topics", async () => {
    gateway.stream.drop();
    await after(500);
    expect(gateway.streams).toHaveLength(2);
    expect(gateway.stream.topics).toEqual(["price:IBM", "price:SPY"]);
  });

  it("a reconnect opens a stream at once", async () => {
    client.reconnect();
    await after(0);
    expect(gateway.open).toEqual([gateway.stream]);
    expect(gateway.stream.topics).toEqual(["price:IBM", "price:SPY"]);
  });
});

it("a change that is answered after its stream was lost is ignored", async () => {
  let answer = (_: Response) => {};
  gateway.changeAnswers = [
    new Promise((resolve) => {
      answer = resolve;
    }),
  ];
  client.watch(["price:IBM"]);
  await after(50);
  gateway.stream.drop();
  await after(500);
  answer(refuse(404, "unknown"));
  await after(1000);
  expect(gateway.streams).toHaveLength(2);
});

it("topics that are watched while a removal fails come on a second stream", async () => {
  client.watch(["price:IBM"]);
  await after(50);
  let answer = (_: Response) => {};
  gateway.changeAnswers = [
    new Promise((resolve) => {
      answer = resolve;
    }),
  ];
  release();
  await after(5100);
  client.watch(["price:BAC"]);
  await after(50);
  answer(refuse(503, "Redis is unreachable"));
  await after(0);
  expect(gateway.streams).toHaveLength(2);
  expect(gateway.stream.topics).toEqual(["price:BAC", "price:IBM"]);
  gateway.stream.open();
  expect(gateway.open).toEqual([gateway.stream]);
});

describe("while a second stream is being opened", () => {
  beforeEach(async () => {
    gateway.changeAnswers = [refuse(404, "unknown")];
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.open).toHaveLength(2);
  });

  it("it is the only one after the first is lost, and no third is opened", async () => {
    gateway.streams[0]?.drop();
    expect(client.get("connection")).toMatchObject({ state: "connecting", connected: false });
    await after(5000);
    expect(gateway.streams).toHaveLength(2);
    gateway.stream.open();
    expect(client.get("connection")).toMatchObject({ state: "live", error: null });
  });

  it("its loss is no longer an error once the first has the watched topics", async () => {
    gateway.stream.drop();
    expect(client.get("connection")?.error?.code).toBe("network");
    await after(500);
    expect(gateway.changes).toHaveLength(2);
    expect(client.get("connection")).toMatchObject({ state: "live", error: null });
  });

  it("a reconnect closes both", async () => {
    client.reconnect();
    await after(0);
    expect(gateway.streams).toHaveLength(3);
    expect(gateway.open).toEqual([gateway.stream]);
  });

  it("a page that is left closes both, and opens one when it returns", async () => {
    window.dispatchEvent(new Event("pagehide"));
    await after(60_000);
    expect(gateway.open).toEqual([]);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await after(0);
    expect(gateway.open).toHaveLength(1);
  });
});

it("topics that the gateway rejected are requested again only with other topics", async () => {
  gateway.changeAnswers = [refuse(400, "too many topics")];
  gateway.ticketAnswers = [Response.json({ ticket: "t" }), refuse(400, "501 topics; 500 at most")];
  client.watch(["price:IBM"]);
  await after(20_000);
  expect(gateway.changes).toHaveLength(1);
  client.watch(["price:BAC"]);
  await after(50);
  expect(gateway.changes.at(-1)?.add).toEqual(["price:BAC", "price:IBM"]);
});

it("a reconnect opens nothing while nothing is watched", async () => {
  release();
  await after(6000);
  client.reconnect();
  await after(60_000);
  expect(gateway.streams).toHaveLength(1);
});
