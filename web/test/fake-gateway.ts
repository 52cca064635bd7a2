/** A gateway in memory: tickets, changes, and EventSources that behave as a browser's do. */

import type { EventSourceLike } from "../src/options.ts";

type Listener = (event: MessageEvent) => void;

/** One stream that a client has opened. */
export class FakeStream implements EventSourceLike {
  closed = false;
  readonly topics: string[];
  readonly query: URLSearchParams;
  private readonly listeners = new Map<string, Listener[]>();
  private seq = 0;

  constructor(
    readonly url: string,
    readonly number: number,
  ) {
    this.query = new URL(url, "http://gateway").searchParams;
    this.topics = this.query.get("topics")?.split(",") ?? [];
  }
  addEventListener(name: string, listener: Listener): void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }
  close(): void {
    this.closed = true;
  }
  /** Send an event as it would come over the wire; ids grow over all streams. */
  emit(name: string, data: object = {}, id = ""): void {
    this.raw(name, JSON.stringify({ event_id: `${this.number}-${++this.seq}`, ...data }), id);
  }
  raw(name: string, data: string, id = ""): void {
    const event = new MessageEvent(name, { data, lastEventId: id });
    for (const each of this.listeners.get(name) ?? []) each(event);
  }
  /** Send hello, the stored events, the feed, and ready; hello also has `more`. */
  open(stored: [string, object][] = [], feed: object = {}, more: object = {}): void {
    this.emit("hello", {
      stream_id: `stream-${this.number}`,
      heartbeat_seconds: 10,
      topics: this.topics,
      denied: [],
      invented: [],
      ...more,
    });
    for (const [name, data] of stored) this.emit(name, data);
    this.emit("feed", { state: "live", session: "regular", lag_ms: 20, reason: null, ...feed });
    this.emit("ready", {}, `${this.number}-${this.seq + 1}`);
  }
  beat(more: object = {}): void {
    this.emit("heartbeat", { feed_state: "live", session: "regular", lag_ms: 20, ...more });
  }
  /** Break the connection, or reject the stream: a browser does not report which. */
  drop(): void {
    this.raw("error", "");
  }
}

export interface Change {
  stream: string;
  add: string[];
  remove: string[];
}

export class FakeGateway {
  readonly streams: FakeStream[] = [];
  readonly changes: Change[] = [];
  readonly authorizations: (string | null)[] = [];
  tickets = 0;
  /** The next answers, instead of a ticket; `null` lets a request wait forever. */
  ticketAnswers: (Response | Error | null)[] = [];
  changeAnswers: (Response | Promise<Response>)[] = [];
  /** The topics of each ticket request. */
  readonly asked: string[][] = [];

  readonly eventSource = (url: string): EventSourceLike => {
    const stream = new FakeStream(url, this.streams.length + 1);
    this.streams.push(stream);
    return stream;
  };
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input), "http://gateway");
    const headers = new Headers(init?.headers);
    if (init?.method === "PATCH") {
      const { add = [], remove = [] } = JSON.parse(String(init.body));
      this.changes.push({ stream: url.pathname.split("/").at(-1) ?? "", add, remove });
      return this.changeAnswers.shift() ?? Response.json({});
    }
    this.asked.push(JSON.parse(String(init?.body)).topics);
    this.authorizations.push(headers.get("authorization"));
    const answer = this.ticketAnswers.shift();
    if (answer === null)
      return new Promise((_, reject) =>
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)),
      );
    if (answer instanceof Error) throw answer;
    return answer ?? Response.json({ ticket: `ticket-${++this.tickets}`, expires_in: 30 });
  };
  /** The stream that was opened last. */
  get stream(): FakeStream {
    const newest = this.streams.at(-1);
    if (newest === undefined) throw new Error("no stream was opened");
    return newest;
  }
  /** Streams that are open now. */
  get open(): FakeStream[] {
    return this.streams.filter((stream) => !stream.closed);
  }
}

/** Return a rejection in the gateway's form. */
export const refuse = (status: number, message: string, headers: HeadersInit = {}): Response =>
  Response.json({ error: { code: "refused", message, hint: "" } }, { status, headers });

export const price = (symbol: string, value: number, more: object = {}): [string, object] => [
  "price",
  { symbol, price: value, timestamp: "2026-11-25T15:00:00Z", reason: null, ...more },
];

export const status = (symbol: string, state: string): [string, object] => [
  "status",
  { symbol, state, reason: state === "live" ? null : `it is ${state}` },
];

export const position = (symbol: string, more: object = {}): [string, object] => [
  "position",
  { symbol, qty: 10, current_price: 100, market_value: 1000, removed: false, ...more },
];
