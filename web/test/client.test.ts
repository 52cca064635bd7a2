import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMarketClient, type MarketClient } from "../src/client.ts";
import { FakeGateway, position, price, refuse, status } from "./fake-gateway.ts";

let gateway: FakeGateway;
let client: MarketClient;

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const state = () => client.get("connection")?.state;
const visible = (hidden: boolean) => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
};

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      ...(["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] as const),
      "requestAnimationFrame",
      "cancelAnimationFrame",
      "performance",
    ],
    now: new Date("2026-11-25T15:00:00Z"),
  });
  gateway = new FakeGateway();
  client = createMarketClient({
    fetch: gateway.fetch,
    eventSource: gateway.eventSource,
    random: () => 0.5,
  });
});

afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("the stream", () => {
  it("opens nothing before something is watched", async () => {
    await after(1000);
    expect(gateway.streams).toHaveLength(0);
    expect(gateway.tickets).toBe(0);
  });

  it("is shared by all watchers, with a ticket for its topics", async () => {
    client.watch(["price:SPY"]);
    client.watch(["price:IBM", "price:SPY"]);
    await after(50);
    expect(gateway.streams).toHaveLength(1);
    expect(gateway.stream.topics).toEqual(["price:IBM", "price:SPY"]);
    expect(gateway.stream.query.get("ticket")).toBe("ticket-1");
  });

  it("is live when it is ready, and not before", async () => {
    client.watch(["price:SPY"]);
    await after(50);
    expect(state()).toBe("connecting");
    gateway.stream.open([price("SPY", 101.5)]);
    expect(state()).toBe("live");
    expect(client.get("price:SPY")?.price).toBe(101.5);
    expect(client.get("connection")).toMatchObject({ connected: true, label: "LIVE", error: null });
  });

  it("stays open for a watcher that returns soon, and ends 5 s after the last release", async () => {
    const release = client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open();
    release();
    await after(4000);
    const again = client.watch(["price:SPY"]);
    await after(10_000);
    expect(gateway.streams).toHaveLength(1);
    expect(gateway.open).toHaveLength(1);
    again();
    again(); // a second release must not end another watcher's claim
    await after(5100);
    expect(gateway.open).toHaveLength(0);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // a frame, perhaps
  });

  it("survives an event that is not JSON", async () => {
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open();
    gateway.stream.raw("price", "{oops");
    gateway.stream.emit(...price("SPY", 7));
    expect(client.get("price:SPY")?.price).toBe(7);
    expect(state()).toBe("live");
  });

  it("never shows an older event after a newer one", async () => {
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open();
    gateway.stream.emit("price", { event_id: "9-10", symbol: "SPY", price: 2 });
    gateway.stream.emit("price", { event_id: "9-9", symbol: "SPY", price: 1 });
    gateway.stream.emit("price", { event_id: "8-99", symbol: "SPY", price: 0 });
    expect(client.get("price:SPY")?.price).toBe(2);
    gateway.stream.emit("price", { event_id: "10-1", symbol: "SPY", price: 3 });
    expect(client.get("price:SPY")?.price).toBe(3);
  });

  it("takes lower ids once the gateway has started over", async () => {
    client.watch(["price:SPY", "position:*"]);
    await after(50);
    gateway.stream.open();
    gateway.stream.emit("price", { event_id: "9-10", symbol: "SPY", price: 2 });
    gateway.stream.emit("position", { event_id: "9-11", symbol: "SPY", qty: 1 });
    for (const topic of ["price:SPY", "position:*"])
      gateway.stream.emit("gap", { event_id: "9-10", topics: [topic], reason: "started_over" });
    expect(client.get("price:SPY")?.price).toBe(2);
    gateway.stream.emit("price", { event_id: "8-1", symbol: "SPY", price: 3 });
    gateway.stream.emit("position", { event_id: "8-2", symbol: "SPY", qty: 5 });
    expect(client.get("price:SPY")?.price).toBe(3);
    expect(client.get("position:SPY")?.qty).toBe(5);
  });

  it("ignores the events of a stream that it has closed", async () => {
    const release = client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    release();
    await after(6000);
    gateway.stream.emit(...price("SPY", 2));
    gateway.stream.drop();
    expect(client.get("price:SPY")?.price).toBe(1);
    expect(state()).toBe("idle");
  });

  it("is not opened if its client was closed while the ticket was requested", async () => {
    let come = (_: string) => {};
    let signal: AbortSignal | undefined;
    client = createMarketClient({
      eventSource: gateway.eventSource,
      ticket: (_, given) => {
        signal = given;
        return new Promise((resolve) => {
          come = resolve;
        });
      },
    });
    client.watch(["price:SPY"]);
    await after(50);
    client.close();
    expect(signal?.aborted).toBe(true);
    come("late");
    await after(0);
    expect(gateway.streams).toHaveLength(0);
  });

  it("can be opened after its client was closed, and older claims are void", async () => {
    const old = client.watch(["price:SPY"]);
    client.close();
    client.watch(["price:IBM"]);
    old();
    await after(6000);
    expect(gateway.open).toHaveLength(1);
    expect(gateway.stream.topics).toEqual(["price:IBM"]);
  });

  it("reports the topics that the token does not allow, and requests an interval", async () => {
    client = createMarketClient({
      fetch: gateway.fetch,
      eventSource: gateway.eventSource,
      interval: 0,
    });
    client.watch(["price:SPY", "account"]);
    await after(50);
    expect(gateway.stream.query.get("interval")).toBe("0");
    gateway.stream.open([], {}, { denied: ["account"] });
    expect(client.get("connection")?.denied).toEqual(["account"]);
  });

  it("reports the symbols whose data are invented, by hello and by each change", async () => {
    const invented = () => client.get("connection")?.invented;
    client.watch(["price:AAPL", "price:SPY"]);
    await after(50);
    gateway.stream.open([], {}, { invented: ["AAPL"] });
    expect(invented()).toEqual(["AAPL"]);
    gateway.changeAnswers = [Response.json({ invented: ["MSFT"] })];
    client.watch(["price:MSFT"]);
    await after(50);
    const both = invented();
    expect(both).toEqual(["AAPL", "MSFT"]);
    gateway.changeAnswers = [Response.json({ invented: ["MSFT"] }), Response.json({})];
    client.watch(["status:MSFT"]);
    await after(50);
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.changes).toHaveLength(3);
    expect(invented()).toBe(both);
  });

  it("knows no invented data if the gateway is of an older version", async () => {
    client.watch(["price:AAPL"]);
    await after(50);
    gateway.stream.open([], {}, { invented: undefined });
    expect(client.get("connection")?.invented).toEqual([]);
  });

  it("passes each event to its listeners once", async () => {
    const seen: unknown[] = [];
    const end = client.on("price", (event: { price: number }) => seen.push(event.price));
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open();
    gateway.stream.emit("price", { event_id: "9-1", symbol: "SPY", price: 1 });
    gateway.stream.emit("price", { event_id: "9-1", symbol: "SPY", price: 1 });
    end();
    gateway.stream.emit("price", { event_id: "9-2", symbol: "SPY", price: 2 });
    expect(seen).toEqual([1]);
  });
});

describe("a lost stream", () => {
  beforeEach(async () => {
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    await after(20);
  });

  it("is opened again with another ticket, after a random wait that doubles", async () => {
    gateway.stream.drop();
    expect(gateway.open).toHaveLength(0);
    expect(client.get("connection")).toMatchObject({ state: "connecting", connected: false });
    expect(client.get("connection")?.error?.code).toBe("network");
    await after(499);
    expect(gateway.streams).toHaveLength(1);
    await after(1);
    expect(gateway.streams).toHaveLength(2);
    expect(gateway.stream.query.get("ticket")).toBe("ticket-2");
    gateway.stream.drop();
    await after(999);
    expect(gateway.streams).toHaveLength(2);
    await after(1);
    expect(gateway.streams).toHaveLength(3);
    gateway.stream.open();
    expect(client.get("connection")).toMatchObject({ state: "live", error: null });
    expect(client.get("price:SPY")?.price).toBe(1);
  });

  it("waits longer while streams end right after their start, until a heartbeat arrives", async () => {
    for (const wait of [500, 1000, 2000]) {
      gateway.stream.drop();
      const before = gateway.streams.length;
      await after(wait - 1);
      expect(gateway.streams).toHaveLength(before);
      await after(1);
      expect(gateway.streams).toHaveLength(before + 1);
      gateway.stream.open();
    }
    gateway.stream.beat();
    gateway.stream.drop();
    await after(500);
    expect(gateway.streams).toHaveLength(5);
  });

  it("resumes after the last received id", async () => {
    gateway.stream.emit("trade", { symbol: "SPY", event_id: "7-7" }, "7-7");
    gateway.stream.emit(...price("SPY", 2));
    gateway.stream.drop();
    await after(500);
    expect(gateway.stream.query.get("last_event_id")).toBe("7-7");
  });

  it("waits half a minute at most", async () => {
    let wait = 0;
    for (let n = 0; n < 20; n++) {
      gateway.stream.drop();
      wait = (client.get("connection")?.retryAt ?? 0) - Date.now();
      await after(wait);
    }
    expect(wait).toBe(15_000); // half of it, with this random number
    expect(gateway.streams).toHaveLength(21);
  });

  it("is opened again after the delay that a stopping gateway asks for", async () => {
    gateway.stream.emit("bye", { reason: "shutdown", retry_ms: 1700 });
    expect(gateway.open).toHaveLength(0);
    await after(1699);
    expect(gateway.streams).toHaveLength(1);
    await after(1);
    expect(gateway.streams).toHaveLength(2);
  });

  it("is a limit, not a fault, if the gateway is full", async () => {
    gateway.stream.emit("bye", { reason: "busy", retry_ms: 5000 });
    expect(state()).toBe("limit");
    visible(false);
    await after(4999);
    expect(gateway.streams).toHaveLength(1);
    await after(1);
    gateway.stream.open();
    expect(state()).toBe("live");
  });

  it("is opened immediately when the network is back", async () => {
    for (let n = 0; n < 6; n++) {
      gateway.stream.drop();
      await after(30_000);
    }
    gateway.stream.drop();
    const before = gateway.streams.length;
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    window.dispatchEvent(new Event("offline"));
    expect(state()).toBe("offline");
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(true);
    window.dispatchEvent(new Event("online"));
    await after(0);
    expect(gateway.streams).toHaveLength(before + 1);
  });
});

describe("a ticket", () => {
  it("that is rejected with 401 ends the attempts until the user signs in", async () => {
    gateway.ticketAnswers = [refuse(401, "the token is wrong")];
    client.watch(["price:SPY"]);
    await after(60_000);
    expect(gateway.streams).toHaveLength(0);
    expect(gateway.authorizations).toHaveLength(1);
    expect(client.get("connection")).toMatchObject({
      state: "sign-in",
      label: "Sign-in needed",
      detail: "the token is wrong",
    });
    client.reconnect();
    await after(0);
    gateway.stream.open();
    expect(state()).toBe("live");
  });

  it("that is rejected is not requested again for the same topics", async () => {
    gateway.ticketAnswers = [refuse(403, "the token has not the scope market")];
    client.watch(["price:SPY"]);
    await after(50);
    expect(state()).toBe("sign-in");
    client.watch(["price:SPY"]);
    await after(60_000);
    expect(gateway.authorizations).toHaveLength(1);
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.streams).toHaveLength(1);
  });

  it("is requested with the current token, which is in no URL", async () => {
    let token = "first";
    client = createMarketClient({
      fetch: gateway.fetch,
      eventSource: gateway.eventSource,
      token: () => token,
    });
    client.watch(["price:SPY"]);
    await after(50);
    token = "second";
    client.reconnect();
    await after(0);
    expect(gateway.authorizations).toEqual(["Bearer first", "Bearer second"]);
    for (const { url } of gateway.streams) expect(url).not.toMatch(/first|second/);
  });

  it("is not needed if there is no token and Redis is unreachable", async () => {
    gateway.ticketAnswers = [refuse(503, "tickets are kept in Redis")];
    client.watch(["price:SPY"]);
    await after(50);
    expect(gateway.stream.query.has("ticket")).toBe(false);
  });

  it("that is unavailable is requested again after the delay that the gateway asks for", async () => {
    client = createMarketClient({
      fetch: gateway.fetch,
      eventSource: gateway.eventSource,
      token: "secret",
    });
    gateway.ticketAnswers = [refuse(503, "Redis is unreachable", { "Retry-After": "2" })];
    client.watch(["price:SPY"]);
    await after(50);
    expect(client.get("connection")?.error?.code).toBe("unavailable");
    await after(1999);
    expect(gateway.streams).toHaveLength(0);
    await after(1);
    expect(gateway.streams).toHaveLength(1);
  });

  it("that is not answered for 10 s is given up, and the error names the six connections", async () => {
    gateway.ticketAnswers = [null];
    client.watch(["price:SPY"]);
    await after(50 + 9_999);
    expect(client.get("connection")?.error).toBeNull();
    await after(1);
    expect(client.get("connection")?.error).toMatchObject({ code: "timeout", retryable: true });
    expect(client.get("connection")?.detail).toMatch(/six HTTP\/1.1 connections/);
  });

  it("of an unreachable gateway is requested again", async () => {
    gateway.ticketAnswers = [new TypeError("Failed to fetch")];
    client.watch(["price:SPY"]);
    await after(50);
    expect(client.get("connection")?.detail).toMatch(/the gateway is unreachable: Failed to fetch/);
    await after(500);
    expect(gateway.streams).toHaveLength(1);
  });

  it("comes from the page's own backend, if it has one", async () => {
    const asked: string[][] = [];
    client = createMarketClient({
      fetch: gateway.fetch,
      eventSource: gateway.eventSource,
      ticket: async (topics) => {
        asked.push(topics);
        return "of-my-backend";
      },
    });
    client.watch(["price:SPY"]);
    await after(50);
    expect(asked).toEqual([["price:SPY"]]);
    expect(gateway.authorizations).toEqual([]);
    expect(gateway.stream.query.get("ticket")).toBe("of-my-backend");
  });
});

describe("silence", () => {
  beforeEach(async () => {
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
  });

  it("makes a stream stale, and after two and a half heartbeats opens another", async () => {
    await after(14_000);
    expect(state()).toBe("live");
    await after(3_000);
    expect(client.get("connection")).toMatchObject({ state: "stale", connected: false });
    expect(client.get("connection")?.detail).toMatch(/no event for 1[67] s/);
    await after(10_000);
    expect(gateway.streams).toHaveLength(2);
    expect(gateway.open).toHaveLength(1);
    expect(client.get("connection")).toMatchObject({ state: "connecting", connected: false });
  });

  it("of prices alone is no silence: a heartbeat is enough", async () => {
    for (let n = 0; n < 10; n++) {
      await after(10_000);
      gateway.stream.beat();
    }
    expect(state()).toBe("live");
    expect(gateway.streams).toHaveLength(1);
  });

  it("of a device that slept is noticed when the page is shown again", async () => {
    vi.setSystemTime(Date.now() + 3_600_000); // its timers slept as well
    visible(false);
    await after(0);
    expect(gateway.streams).toHaveLength(2);
    expect(gateway.open).toHaveLength(1);
  });

  it("ends with a page that goes into the back-forward cache and comes back", async () => {
    window.dispatchEvent(new Event("pagehide"));
    expect(gateway.open).toHaveLength(0);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await after(0);
    expect(gateway.open).toHaveLength(1);
    expect(gateway.stream.query.get("ticket")).toBe("ticket-2");
  });
});

describe("the data's own clock", () => {
  const withFeed = async (feed: object) => {
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open([], feed);
    return client.get("connection");
  };

  it.each([
    [{ state: "connecting" }, "connecting"],
    [{ state: "reconnecting", reason: "Alpaca has closed it" }, "stale"],
    [{ state: "down", reason: "ingest_lost" }, "stale"],
    [{ session: "closed", lag_ms: null }, "closed"],
    [{ lag_ms: 900_000 }, "delayed"],
    [{ session: "pre" }, "live"],
  ])("makes of a feed %j the state %s", async (feed, expected) => {
    expect((await withFeed(feed))?.state).toBe(expected);
  });

  it("comes with heartbeats, and does not open another stream", async () => {
    await withFeed({});
    gateway.stream.beat({ feed_state: "reconnecting" });
    expect(client.get("connection")).toMatchObject({ state: "stale", connected: true });
    gateway.stream.beat();
    expect(state()).toBe("live");
    expect(gateway.streams).toHaveLength(1);
  });
});

describe("other topics", () => {
  let release: () => void;

  beforeEach(async () => {
    release = client.watch(["price:SPY", "status:SPY"]);
    await after(50);
    gateway.stream.open();
  });

  it("are added to the running stream in one change", async () => {
    client.watch(["price:IBM"]);
    client.watch(["price:BAC"]);
    await after(50);
    expect(gateway.changes).toEqual([
      { stream: "stream-1", add: ["price:BAC", "price:IBM"], remove: [] },
    ]);
    expect(gateway.streams).toHaveLength(1);
  });

  it("are removed 5 s after their last release", async () => {
    client.watch(["price:IBM"]);
    await after(50);
    release();
    await after(4900);
    expect(gateway.changes).toHaveLength(1);
    await after(200);
    expect(gateway.changes[1]).toEqual({
      stream: "stream-1",
      add: [],
      remove: ["price:SPY", "status:SPY"],
    });
  });

  it("come on a second stream if the change fails, and its readiness ends the first", async () => {
    gateway.changeAnswers = [refuse(404, "no stream stream-1 belongs to this token")];
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.open).toHaveLength(2);
    expect(state()).toBe("live");
    gateway.streams[0]?.emit(...price("SPY", 5));
    expect(client.get("price:SPY")?.price).toBe(5);
    gateway.stream.open();
    expect(gateway.open).toEqual([gateway.stream]);
    expect(gateway.stream.topics).toEqual(["price:IBM", "price:SPY", "status:SPY"]);
    expect(state()).toBe("live");
  });

  it("that are rejected do not affect the running stream", async () => {
    gateway.changeAnswers = [refuse(400, "too many topics")];
    client.watch(["price:IBM"]);
    gateway.ticketAnswers = [
      Response.json({ ticket: "t" }),
      refuse(400, "501 topics; 500 at most"),
    ];
    await after(20_000);
    expect(gateway.streams.filter((each) => !each.closed)).toHaveLength(1);
    expect(gateway.authorizations).toHaveLength(3);
    expect(client.get("connection")?.error?.message).toMatch(/501 topics/);
  });

  it("that are watched during a change are the next change", async () => {
    let answer = (_: Response) => {};
    gateway.changeAnswers = [
      new Promise((resolve) => {
        answer = resolve;
      }),
    ];
    client.watch(["price:IBM"]);
    await after(50);
    client.watch(["price:BAC"]);
    await after(1000);
    expect(gateway.changes.map(({ add }) => add)).toEqual([["price:IBM"]]);
    answer(Response.json({}));
    await after(0);
    expect(gateway.changes.map(({ add }) => add)).toEqual([["price:IBM"], ["price:BAC"]]);
  });

  it("that are watched while a second stream is being opened are a change of that stream", async () => {
    gateway.changeAnswers = [refuse(404, "unknown")];
    client.watch(["price:IBM"]);
    await after(50);
    client.watch(["price:BAC"]);
    await after(1000);
    expect(gateway.changes).toHaveLength(1);
    gateway.stream.open();
    await after(0);
    expect(gateway.streams).toHaveLength(2);
    expect(gateway.changes[1]).toEqual({ stream: "stream-2", add: ["price:BAC"], remove: [] });
  });

  it("are requested again if the second stream is lost before it is ready", async () => {
    gateway.changeAnswers = [refuse(404, "unknown")];
    client.watch(["price:IBM"]);
    await after(50);
    gateway.stream.drop();
    expect(state()).toBe("live");
    await after(500);
    expect(gateway.changes.map(({ add }) => add)).toEqual([["price:IBM"], ["price:IBM"]]);
  });

  it("leave no second stream open after the client is closed", async () => {
    gateway.changeAnswers = [refuse(404, "unknown")];
    client.watch(["price:IBM"]);
    await after(50);
    expect(gateway.open).toHaveLength(2);
    client.close();
    expect(gateway.open).toHaveLength(0);
  });

  it("that cannot be removed stay, and cost no second stream", async () => {
    client.watch(["price:IBM"]);
    await after(50);
    gateway.changeAnswers = [refuse(503, "Redis is unreachable")];
    release();
    await after(5100);
    expect(gateway.changes).toHaveLength(2);
    expect(gateway.asked.at(-1)).toEqual(["price:SPY", "status:SPY"]);
    expect(gateway.streams).toHaveLength(1);
    client.watch(["price:BAC"]);
    await after(50);
    expect(gateway.changes[2]).toEqual({
      stream: "stream-1",
      add: ["price:BAC"],
      remove: ["price:SPY", "status:SPY"],
    });
    // A ticket changes only the topics that it is for.
    expect(gateway.asked.at(-1)).toEqual(["price:BAC", "price:SPY", "status:SPY"]);
  });

  it("start without the cursor of an earlier stream", async () => {
    gateway.stream.emit("trade", { symbol: "SPY", event_id: "7-7" }, "7-7");
    release();
    await after(6000);
    client.watch(["trade:SPY"]);
    await after(50);
    expect(gateway.stream.query.has("last_event_id")).toBe(false);
  });
});

describe("positions", () => {
  beforeEach(async () => {
    client.watch(["position:*", "account"]);
    await after(50);
  });

  it("are known as a whole when the snapshot is complete, and by each row after", async () => {
    gateway.stream.emit("hello", { stream_id: "s", heartbeat_seconds: 10, denied: [] });
    gateway.stream.emit(...position("SPY"));
    expect(client.get("positions")).toBeUndefined();
    gateway.stream.emit(...position("BAC"));
    gateway.stream.emit("ready");
    expect(client.get("positions")).toEqual(["BAC", "SPY"]);
    gateway.stream.emit(...position("IBM"));
    expect(client.get("positions")).toEqual(["BAC", "IBM", "SPY"]);
    gateway.stream.emit(...position("BAC", { removed: true }));
    expect(client.get("positions")).toEqual(["IBM", "SPY"]);
  });

  it("keep the same list while it has the same symbols", async () => {
    gateway.stream.open([position("SPY")]);
    const before = client.get("positions");
    gateway.stream.emit(...position("SPY", { market_value: 1001 }));
    expect(client.get("positions")).toBe(before);
  });

  it("that were closed while the stream was lost are gone after it is opened again", async () => {
    gateway.stream.open([position("SPY"), position("BAC")]);
    gateway.stream.drop();
    await after(500);
    expect(client.get("positions")).toEqual(["BAC", "SPY"]);
    gateway.stream.open([position("BAC")]);
    expect(client.get("positions")).toEqual(["BAC"]);
  });

  it("may be none", async () => {
    gateway.stream.open();
    expect(client.get("positions")).toEqual([]);
  });
});

describe("a flush", () => {
  let calls: string[];

  beforeEach(async () => {
    client.watch(["price:SPY", "price:IBM", "status:SPY"]);
    await after(50);
    gateway.stream.open();
    await after(50);
    calls = [];
    const both = () => calls.push("both");
    client.subscribe("price:SPY", () => calls.push("SPY"));
    client.subscribe("price:SPY", both);
    client.subscribe("price:IBM", both);
  });

  it("comes once a frame and calls each listener of a changed topic once", async () => {
    for (let n = 0; n < 100; n++) gateway.stream.emit(...price("SPY", n));
    gateway.stream.emit(...price("IBM", 1));
    expect(calls).toEqual([]);
    await after(16);
    expect(calls.toSorted()).toEqual(["SPY", "both"]);
    gateway.stream.emit(...status("SPY", "halted"));
    gateway.stream.emit(...price("IBM", 2));
    await after(16);
    expect(calls.toSorted()).toEqual(["SPY", "both", "both"]);
  });

  it("comes each second while the page is hidden, and at once when it is shown", async () => {
    visible(true);
    gateway.stream.emit(...price("SPY", 1));
    await after(900);
    expect(calls).toEqual([]);
    await after(100);
    expect(calls.toSorted()).toEqual(["SPY", "both"]);
    gateway.stream.emit(...price("SPY", 2));
    visible(false);
    expect(calls).toHaveLength(4);
  });

  it("that waits for a frame does not wait forever if the page is hidden", async () => {
    const frames = vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(77);
    const cancelled = vi.spyOn(globalThis, "cancelAnimationFrame");
    gateway.stream.emit(...price("SPY", 1));
    expect(frames).toHaveBeenCalledTimes(1);
    visible(true);
    expect(cancelled).toHaveBeenCalledWith(77);
    await after(1000);
    expect(calls).toHaveLength(2);
  });
});

it("logs changes without a ticket, and only in debug mode", async () => {
  const lines = vi.spyOn(console, "debug").mockImplementation(() => {});
  client.debug = true;
  client.watch(["price:SPY"]);
  await after(50);
  gateway.stream.open();
  gateway.stream.drop();
  const text = JSON.stringify(lines.mock.calls);
  expect(text).toMatch(/LIVE/);
  expect(text).toMatch(/the connection was lost/);
  expect(text).not.toMatch(/ticket-/);
  client.debug = false;
  const before = lines.mock.calls.length;
  await after(500);
  expect(lines.mock.calls).toHaveLength(before);
});
