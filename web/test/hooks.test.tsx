import { act, cleanup, render, renderHook, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createMarketClient,
  type MarketClient,
  MarketProvider,
  Paced,
  useMarketStream,
  usePositions,
  usePrice,
} from "../src/index.ts";
import { FakeGateway, position, price, refuse, status } from "./fake-gateway.ts";

let gateway: FakeGateway;
let client: MarketClient;

const after = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const wrapper = ({ children }: { children: React.ReactNode }) => (
  <StrictMode>
    <MarketProvider client={client}>{children}</MarketProvider>
  </StrictMode>
);

beforeEach(() => {
  vi.useFakeTimers();
  gateway = new FakeGateway();
  client = createMarketClient({ fetch: gateway.fetch, eventSource: gateway.eventSource });
});

afterEach(() => {
  cleanup();
  client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("useMarketStream", () => {
  it("opens one stream in StrictMode, for all hooks together", async () => {
    renderHook(() => useMarketStream(["SPY"]), { wrapper });
    renderHook(() => [useMarketStream(["spy", "IBM"]), usePrice("BAC")], { wrapper });
    await after(50);
    expect(gateway.streams).toHaveLength(1);
    expect(gateway.stream.topics).toEqual([
      ...["price:BAC", "price:IBM", "price:SPY", "status:BAC", "status:IBM", "status:SPY"],
    ]);
  });

  it("gives prices, whether it is connected, and no error", async () => {
    const { result } = renderHook(() => useMarketStream(["SPY", "IBM"]), { wrapper });
    expect(result.current).toMatchObject({ prices: {}, connected: false, error: null });
    expect(result.current.status.label).toBe("Connecting...");
    await after(50);
    gateway.stream.open([price("SPY", 101.25), status("SPY", "live")]);
    await after(20);
    expect(result.current.prices.SPY?.price).toBe(101.25);
    expect(result.current.prices.IBM).toBeUndefined();
    expect(result.current).toMatchObject({ connected: true, error: null });
    expect(result.current.status.label).toBe("LIVE");
  });

  it("keeps the objects of unchanged prices", async () => {
    const { result } = renderHook(() => useMarketStream(["SPY", "IBM"]), { wrapper });
    await after(50);
    gateway.stream.open([price("SPY", 1), price("IBM", 2)]);
    await after(20);
    const before = result.current.prices;
    gateway.stream.emit(...price("QQQ", 9));
    gateway.stream.beat({ lag_ms: 77 });
    await after(20);
    expect(result.current.prices).toBe(before);
    gateway.stream.emit(...price("IBM", 3));
    await after(20);
    expect(result.current.prices.IBM?.price).toBe(3);
    expect(result.current.prices.SPY).toBe(before.SPY);
  });

  it("renders once a frame however many events come", async () => {
    let renders = 0;
    renderHook(
      () => {
        renders++;
        return useMarketStream(["SPY", "IBM"]);
      },
      { wrapper: ({ children }) => <MarketProvider client={client}>{children}</MarketProvider> },
    );
    await after(50);
    gateway.stream.open();
    await after(20);
    renders = 0;
    await act(async () => {
      for (let n = 0; n < 50; n++)
        for (const symbol of ["SPY", "IBM"]) gateway.stream.emit(...price(symbol, n));
      await vi.advanceTimersByTimeAsync(16);
    });
    expect(renders).toBe(1);
  });

  it("does not subscribe again for a new array of the same symbols", async () => {
    const watch = vi.spyOn(client, "watch");
    const { rerender } = renderHook(() => useMarketStream(["SPY"]), {
      wrapper: ({ children }) => <MarketProvider client={client}>{children}</MarketProvider>,
    });
    rerender();
    rerender();
    expect(watch).toHaveBeenCalledTimes(1);
  });

  it("knows the same symbols in another order and in other letters", async () => {
    const watch = vi.spyOn(client, "watch");
    const { rerender, result } = renderHook(({ symbols }) => useMarketStream(symbols), {
      wrapper: ({ children }) => <MarketProvider client={client}>{children}</MarketProvider>,
      initialProps: { symbols: ["SPY", "IBM"] },
    });
    rerender({ symbols: [" ibm", "SPY", "", "spy"] });
    expect(watch).toHaveBeenCalledTimes(1);
    expect(result.current.error).toBeNull();
  });

  it("asks for other symbols without another stream", async () => {
    const { rerender, result } = renderHook(({ symbols }) => useMarketStream(symbols), {
      wrapper,
      initialProps: { symbols: ["SPY"] },
    });
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    rerender({ symbols: ["IBM"] });
    await after(50);
    expect(gateway.changes).toEqual([
      { stream: "stream-1", add: ["price:IBM", "status:IBM"], remove: [] },
    ]);
    gateway.stream.emit(...price("IBM", 2));
    await after(20);
    expect(Object.keys(result.current.prices)).toEqual(["IBM"]);
    expect(gateway.streams).toHaveLength(1);
  });

  it("names symbols that are none, and watches the others", async () => {
    const { result } = renderHook(() => useMarketStream(["SPY", "12$"]), { wrapper });
    await after(50);
    expect(gateway.stream.topics).toEqual(["price:SPY", "status:SPY"]);
    expect(result.current.error).toMatchObject({ code: "symbol", retryable: false });
    expect(result.current.error?.message).toMatch(/12\$/);
  });

  it("watches nothing without symbols, or while it is not enabled", async () => {
    renderHook(() => useMarketStream([]), { wrapper });
    renderHook(() => useMarketStream(["SPY"], { enabled: false }), { wrapper });
    await after(100);
    expect(gateway.streams).toHaveLength(0);
  });

  it("reports 401, and is live after the next attempt", async () => {
    gateway.ticketAnswers = [refuse(401, "the token is wrong")];
    const { result } = renderHook(() => useMarketStream(["SPY"]), { wrapper });
    await after(70);
    expect(result.current.error?.code).toBe("sign-in");
    expect(result.current.status.label).toBe("Sign-in needed");
    client.reconnect();
    await after(20);
    gateway.stream.open();
    await after(20);
    expect(result.current.error).toBeNull();
    expect(result.current.status.label).toBe("LIVE");
  });

  it("survives a gateway that answers 503 for a while", async () => {
    client = createMarketClient({
      fetch: gateway.fetch,
      eventSource: gateway.eventSource,
      token: "secret",
    });
    gateway.ticketAnswers = [
      refuse(503, "Redis is unreachable"),
      refuse(503, "Redis is unreachable"),
    ];
    const { result } = renderHook(() => useMarketStream(["SPY"]), { wrapper });
    await after(70);
    expect(result.current.error?.code).toBe("unavailable");
    await after(5000);
    gateway.stream.open();
    await after(20);
    expect(result.current).toMatchObject({ connected: true, error: null });
  });

  it("is not connected any more when no heartbeats arrive", async () => {
    const { result } = renderHook(() => useMarketStream(["SPY"]), { wrapper });
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    await after(20_000);
    expect(result.current.status.label).toBe("Stale");
    await after(10_000);
    expect(result.current).toMatchObject({ connected: false });
    expect(result.current.prices.SPY?.price).toBe(1);
  });

  it("says Halted when all its symbols are, and LIVE when one is not", async () => {
    const { result } = renderHook(() => useMarketStream(["SPY", "IBM"]), { wrapper });
    await after(50);
    gateway.stream.open([status("SPY", "halted"), status("IBM", "halted")]);
    await after(20);
    expect(result.current.status).toMatchObject({ label: "Halted", detail: "it is halted" });
    gateway.stream.emit(...status("SPY", "live"));
    await after(20);
    expect(result.current.status.label).toBe("LIVE");
    gateway.stream.emit(...status("SPY", "halted"));
    gateway.stream.emit(...status("IBM", "live"));
    await after(20);
    expect(result.current.status.label).toBe("LIVE");
  });

  it("logs without reconnecting when debug is switched", async () => {
    const lines = vi.spyOn(console, "debug").mockImplementation(() => {});
    const { rerender } = renderHook(({ debug }) => useMarketStream(["SPY"], { debug }), {
      wrapper,
      initialProps: { debug: false },
    });
    await after(50);
    expect(lines).not.toHaveBeenCalled();
    rerender({ debug: true });
    renderHook(() => useMarketStream(["SPY"]), { wrapper }); // it has no opinion
    gateway.stream.open();
    await after(20);
    expect(lines).toHaveBeenCalled();
    expect(gateway.streams).toHaveLength(1);
  });

  it("leaves no stream, timer or listener behind", async () => {
    const added = vi.spyOn(window, "addEventListener");
    const { unmount } = renderHook(() => [useMarketStream(["SPY"]), usePositions()], { wrapper });
    await after(50);
    gateway.stream.open([position("SPY")]);
    await after(20);
    const signals = added.mock.calls
      .map(([, , options]) => (options as AddEventListenerOptions | undefined)?.signal)
      .filter((signal) => signal !== undefined);
    expect(signals.length).toBeGreaterThan(0);
    unmount();
    await after(6000);
    expect(gateway.open).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
    for (const signal of signals) expect(signal.aborted).toBe(true);
  });
});

describe("on a server", () => {
  function Page() {
    const { prices, connected, status } = useMarketStream(["SPY"]);
    const { positions } = usePositions();
    return <p>{`${status.label} ${connected} ${prices.SPY?.price ?? "–"} ${positions.length}`}</p>;
  }

  it("renders Connecting... and opens nothing", async () => {
    vi.stubGlobal("window", undefined);
    vi.stubGlobal("document", undefined);
    try {
      expect(renderToString(<Page />)).toBe("<p>Connecting... false – 0</p>");
    } finally {
      vi.unstubAllGlobals();
    }
    await after(100);
    expect(gateway.streams).toHaveLength(0);
  });

  it("is hydrated without a mismatch, even where values have come already", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    const html = renderToString(<Page />);
    client.watch(["price:SPY"]);
    await after(50);
    gateway.stream.open([price("SPY", 5)]);
    const place = document.createElement("div");
    place.innerHTML = html;
    document.body.append(place);
    const recovered = vi.fn();
    const root = await act(async () =>
      hydrateRoot(
        place,
        <MarketProvider client={client}>
          <Page />
        </MarketProvider>,
        { onRecoverableError: recovered },
      ),
    );
    await after(20);
    expect(place.textContent).toBe("LIVE true 5 0");
    expect(recovered).not.toHaveBeenCalled();
    expect(errors).not.toHaveBeenCalled();
    await act(async () => root.unmount());
    place.remove();
  });
});

describe("usePositions", () => {
  it("gives the rows in the order of symbols, and the account", async () => {
    const { result } = renderHook(() => usePositions(), { wrapper });
    await after(50);
    expect(gateway.stream.topics).toEqual(["account", "position:*"]);
    gateway.stream.open([
      position("SPY", { market_value: 5 }),
      position("BAC"),
      ["account", { state: "live", equity: 100 }],
    ]);
    await after(20);
    expect(result.current.positions.map(({ symbol }) => symbol)).toEqual(["BAC", "SPY"]);
    expect(result.current.account?.equity).toBe(100);
    gateway.stream.emit(...position("BAC", { removed: true }));
    await after(20);
    expect(result.current.positions.map(({ symbol }) => symbol)).toEqual(["SPY"]);
  });
});

describe("Paced", () => {
  function Shown() {
    return <output>{`${usePrice("SPY")?.price} ${useMarketStream(["SPY"]).status.label}`}</output>;
  }
  const page = (pace: number | "paused") => (
    <StrictMode>
      <MarketProvider client={client}>
        <Paced pace={pace}>
          <Shown />
        </Paced>
      </MarketProvider>
    </StrictMode>
  );
  const shown = () => screen.getByRole("status").textContent;

  it("freezes the shown values, not the stream or its state, and resumes with the newest", async () => {
    const { rerender } = render(page(0));
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    await after(20);
    rerender(page("paused"));
    gateway.stream.emit(...price("SPY", 2));
    await after(3000);
    expect(shown()).toBe("1 LIVE");
    gateway.stream.drop();
    await after(20);
    expect(shown()).toBe("1 Connecting...");
    rerender(page(0));
    expect(shown()).toBe("2 Connecting...");
  });

  it("freezes a nested one as well", async () => {
    const nested = (pace: number | "paused") => (
      <MarketProvider client={client}>
        <Paced pace={pace}>
          <Paced pace={0}>
            <Shown />
          </Paced>
        </Paced>
      </MarketProvider>
    );
    const { rerender } = render(nested(0));
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    await after(20);
    rerender(nested("paused"));
    gateway.stream.emit(...price("SPY", 2));
    await after(3000);
    expect(shown()).toBe("1 LIVE");
    rerender(nested(0));
    expect(shown()).toBe("2 LIVE");
  });

  it("shows the first value of a topic while it is paused", async () => {
    render(page("paused"));
    await after(50);
    gateway.stream.open();
    await after(20);
    gateway.stream.emit(...price("SPY", 1));
    await after(20);
    expect(shown()).toBe("1 LIVE");
    gateway.stream.emit(...price("SPY", 2));
    await after(20);
    expect(shown()).toBe("1 LIVE");
  });

  it("leaves no timer behind", async () => {
    const { unmount } = render(page(5));
    await after(50);
    unmount();
    await after(6000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("shows the newest every so many seconds", async () => {
    const { rerender } = render(page(5));
    await after(50);
    gateway.stream.open([price("SPY", 1)]);
    await after(20);
    expect(shown()).toBe("1 LIVE");
    gateway.stream.emit(...price("SPY", 2));
    await after(4000);
    expect(shown()).toBe("1 LIVE");
    await after(1000);
    expect(shown()).toBe("2 LIVE");
    rerender(page(0));
    gateway.stream.emit(...price("SPY", 3));
    await after(20);
    expect(shown()).toBe("3 LIVE");
  });
});
