/** Random runs of the state machine, each of which must end with one stream of the watched topics. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createMarketClient, type MarketClient } from "../src/client.ts";
import { FakeGateway, type FakeStream, refuse } from "./fake-gateway.ts";

const RUNS = 200;
const STEPS = 20;
const SYMBOLS = ["A", "B", "C", "D"];

/** A small generator, so that a failing run can be repeated by its seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A client, its gateway, and the topics that each stream carries after its changes. */
class Run {
  readonly gateway = new FakeGateway();
  readonly client: MarketClient;
  readonly watched = new Map<string, () => void>();
  private readonly carried = new Map<FakeStream, Set<string>>();
  private readonly opened = new Set<FakeStream>();

  constructor(private readonly random: () => number) {
    const { fetch, eventSource } = this.gateway;
    this.client = createMarketClient({
      random,
      eventSource,
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (init?.method === "PATCH" && answer.ok) this.change(`${input}`, `${init.body}`);
        return answer;
      },
    });
  }
  pick<Value>(values: readonly Value[]): Value | undefined {
    return values[Math.floor(this.random() * values.length)];
  }
  topicsOf(stream: FakeStream): string[] {
    return [...(this.carried.get(stream) ?? stream.topics)].toSorted();
  }
  /** Let time pass, with a heartbeat of each stream that is ready. */
  async after(ms: number) {
    await vi.advanceTimersByTimeAsync(ms);
    for (const stream of this.gateway.open) if (this.opened.has(stream)) stream.beat();
  }
  openStreams() {
    for (const stream of this.gateway.open) {
      if (!this.opened.has(stream)) stream.open();
      this.opened.add(stream);
    }
  }
  watch(symbol: string) {
    this.watched.get(symbol)?.();
    this.watched.set(symbol, this.client.watch([`price:${symbol}`]));
  }
  private change(url: string, body: string) {
    const number = Number(/stream-(\d+)/.exec(url)?.[1]);
    const stream = this.gateway.streams[number - 1];
    if (stream === undefined) throw new Error(`no stream in ${url}`);
    const { add, remove } = JSON.parse(body);
    const topics = new Set([...this.topicsOf(stream), ...add]);
    for (const topic of remove) topics.delete(topic);
    this.carried.set(stream, topics);
  }

  /** Events with their weights. */
  readonly events: readonly [weight: number, happen: () => unknown][] = [
    [6, () => this.watch(this.pick(SYMBOLS) as string)],
    [1, () => this.release(this.pick([...this.watched.keys()]) ?? "")],
    [4, () => this.openStreams()],
    [1, () => this.pick(this.gateway.open)?.drop()],
    [1, () => this.pick(this.gateway.open)?.emit("bye", { reason: "busy", retry_ms: 1500 })],
    [1, () => this.gateway.ticketAnswers.push(refuse(503, "unavailable"))],
    [1, () => this.gateway.ticketAnswers.push(Response.json({}), refuse(400, "too many topics"))],
    [1, () => this.gateway.ticketAnswers.push(new TypeError("Failed to fetch"))],
    [4, () => this.gateway.changeAnswers.push(refuse(404, "unknown"))],
    [2, () => this.gateway.changeAnswers.push(later(refuse(503, "unavailable")))],
    [1, () => this.gateway.changeAnswers.push(later(Response.json({})))],
    [1, () => this.client.reconnect()],
    [1, () => window.dispatchEvent(new Event("online"))],
    [1, () => this.leave()],
    [8, () => this.after(60)],
    [3, () => this.after(this.random() * 4000)],
  ];
  happen(): unknown {
    const all = this.events.flatMap(([weight, happen]) => Array(weight).fill(happen));
    return this.pick(all)?.();
  }
  private release(symbol: string) {
    this.watched.get(symbol)?.();
    this.watched.delete(symbol);
  }
  private leave() {
    window.dispatchEvent(new Event("pagehide"));
    if (this.random() < 0.7)
      window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  }
}

const later = (answer: Response) =>
  new Promise<Response>((resolve) => setTimeout(resolve, 1000, answer));
let run: Run;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(async () => {
  run.client.close();
  expect(run.gateway.open).toEqual([]);
  await vi.advanceTimersByTimeAsync(2000); // late answers of the gateway
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it.each(Array.from({ length: RUNS }, (_, seed) => seed))("run %i", async (seed) => {
  run = new Run(seeded(seed));
  const { client, gateway } = run;
  run.watch("A");
  await run.after(60);
  run.openStreams();
  for (let step = 0; step < STEPS; step++) {
    await run.happen();
    await vi.advanceTimersByTimeAsync(0);
    expect(gateway.open.length).toBeLessThanOrEqual(2);
  }
  // Everything works again, and another topic is watched.
  gateway.ticketAnswers = [];
  gateway.changeAnswers = [];
  run.watch("E");
  for (let second = 0; second < 45; second++) {
    run.openStreams();
    await run.after(1000);
  }
  const topics = [...run.watched.keys()].map((symbol) => `price:${symbol}`).toSorted();
  expect(gateway.open.map((stream) => run.topicsOf(stream))).toEqual([topics]);
  expect(client.get("connection")).toMatchObject({ state: "live", error: null, retryAt: null });
});
