import { cleanup, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { INVENTED } from "../src/index.ts";
import {
  account,
  connection,
  failed,
  portfolio,
  position,
  price,
  status,
  unpriced,
} from "./played-client.ts";
import {
  after,
  cells,
  foot,
  header,
  press,
  rowOf,
  rows,
  show,
  symbols,
  tags,
} from "./shown-table.tsx";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-11-25T15:00:12.5Z") });
});

afterEach(() => {
  cleanup();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("the positions table", () => {
  it("shows a position's figures", () => {
    show(portfolio(position("SPY", 102.01)));
    expect(cells(rowOf("SPY"))).toEqual([
      ...["10", "100.00", "102.01", "up +1.00% (+1.01)", "$1,020.10"],
      ...["up +$10.10 (+1.00%)", "up +$20.10 (+2.01%)", "12 s"],
    ]);
    expect(screen.getByRole("rowheader", { name: "SPY" })).toBeTruthy();
    expect(screen.getByRole("table", { name: "Positions" })).toBeTruthy();
  });

  it("watches positions, the account, and the status of each open symbol", () => {
    const { client, unmount } = show(portfolio(position("SPY", 100), position("BTC/USD", 9)));
    expect(client.watched).toEqual(["account", "position:*", "status:BTC/USD", "status:SPY"]);
    unmount();
    expect(client.watched).toEqual([]);
    expect(client.followers).toBe(0);
  });

  it("shows short positions, those that cost nothing, and those without a price", () => {
    const short = { qty: -10, side: "short", market_value: -900, unrealized_pl: 100 } as const;
    const gift = { cost_basis: 0, avg_entry_price: 0, unrealized_pl: 1000, unrealized_plpc: null };
    show(
      portfolio(
        position("A", 90, short),
        position("B", 100, gift),
        unpriced("C", "no trade has been seen"),
      ),
    );
    expect(cells(rowOf("A"))).toMatchObject({ 0: "-10", 4: "-$900.00" });
    expect(rowOf("A").querySelector("td")?.dataset.tone).toBeUndefined();
    expect(cells(rowOf("B"))[6]).toBe("up +$1,000.00");
    expect(cells(rowOf("C"))[2]).toBe("— no price");
    expect(rowOf("C").querySelectorAll("td")[2]?.title).toBe("no trade has been seen");
  });

  it("adds up, and says which positions the sums lack", () => {
    const { play } = show(portfolio(position("A", 102.01), unpriced("B", "no trade")));
    expect(cells(foot())).toEqual([
      ...["", "", "", "", "$1,020.10", "up +$10.10 (+1.00%)", "up +$20.10 (+2.01%)", ""],
    ]);
    expect(tags(foot())).toEqual(["partial: excludes B"]);
    play({ "position:B": position("B", 100) });
    expect(cells(foot())[4]).toBe("$2,020.10");
    expect(tags(foot())).toEqual([]);
  });

  it("tags prices that are not current, in words", () => {
    const states = ["halted", "stale", "closed", "polled", "quiet", "live"] as const;
    const { play } = show({
      ...portfolio(...states.map((state) => position(state.toUpperCase(), 100))),
      ...Object.fromEntries(
        states.map((state) => [
          `status:${state.toUpperCase()}`,
          status(state.toUpperCase(), state),
        ]),
      ),
    });
    expect(rows().map(tags)).toEqual([["halted"], ["stale"], ["closed"], ["polled"], [], []]);
    expect(rowOf("HALTED").querySelector<HTMLElement>("th span")?.title).toBe("it is halted");
    expect(rowOf("STALE").dataset.state).toBe("stale");
    const broker = { price_source: "broker", reason: "the tape has none" } as const;
    play({ "position:LIVE": position("LIVE", 100, broker) });
    expect(tags(rowOf("LIVE"))).toEqual(["broker’s price"]);
    play({ connection: connection({ state: "delayed", label: "Delayed" }) });
    expect(tags(rowOf("QUIET"))).toEqual(["delayed"]);
  });

  it("tags the symbols whose prices are invented, and says why", () => {
    show({
      ...portfolio(position("AAPL", 190), position("SPY", 100)),
      connection: connection({ invented: ["AAPL"] }),
    });
    expect(rows().map(tags)).toEqual([["invented"], []]);
    expect(rowOf("AAPL").querySelector<HTMLElement>("th span")?.title).toBe(INVENTED);
  });

  it("sorts when a header is pressed, and not when prices move", () => {
    const { play } = show(portfolio(position("A", 101), position("B", 103), position("C", 102)));
    expect(header("Last price").getAttribute("aria-sort")).toBeNull();
    press("Last price");
    expect(header("Last price").getAttribute("aria-sort")).toBe("descending");
    expect(symbols()).toEqual(["B", "C", "A"]);
    play({ "position:A": position("A", 200) });
    expect(symbols()).toEqual(["B", "C", "A"]);
    press("Last price");
    expect(header("Last price").getAttribute("aria-sort")).toBe("ascending");
    expect(symbols()).toEqual(["C", "B", "A"]);
    press("Symbol");
    expect(header("Last price").getAttribute("aria-sort")).toBeNull();
    expect(symbols()).toEqual(["A", "B", "C"]);
  });

  it("sorts again for an added position, and keeps the existing rows", () => {
    const { play } = show(portfolio(position("A", 101), position("B", 103)));
    press("Last price");
    const before = rowOf("A");
    play({ positions: ["A", "B", "C"], "position:C": position("C", 102) });
    expect(symbols()).toEqual(["B", "C", "A"]);
    expect(rowOf("A")).toBe(before);
  });

  it("sorts those without a figure last, and ages by age", () => {
    show(
      portfolio(
        unpriced("A", "no trade"),
        position("B", 1, { timestamp: "2026-11-25T14:00:00Z" }),
        position("C", 2),
      ),
    );
    press("Age");
    expect(symbols()).toEqual(["B", "C", "A"]);
    press("Age");
    expect(symbols()).toEqual(["C", "B", "A"]);
    press("Last price");
    press("Last price");
    expect(symbols()).toEqual(["B", "C", "A"]);
  });

  it("writes ages by one timer, which stops while the page is hidden", async () => {
    show(portfolio(position("A", 1), position("B", 2, { timestamp: "2026-11-25T14:59:00Z" })));
    await after(2000);
    expect(cells(rowOf("A"))[7]).toBe("14 s");
    expect(cells(rowOf("B"))[7]).toBe("1 min");
    expect(vi.getTimerCount()).toBe(1);
    vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    document.dispatchEvent(new Event("visibilitychange"));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("shows placeholder rows while it loads, and a sentence if there are no positions", () => {
    const { play } = show();
    expect(rows()).toHaveLength(3);
    expect(screen.getByRole("region").getAttribute("aria-busy")).toBe("true");
    play(portfolio());
    expect(rows().map((row) => row.textContent)).toEqual(["No open positions"]);
    expect(screen.getByRole("region").getAttribute("aria-busy")).toBe("false");
  });

  it("shows why no data arrives, and retries on request", () => {
    const { client, play } = show({ connection: failed("network", "the gateway is unreachable") });
    expect(rows().map((row) => row.textContent)).toEqual(["Not known"]);
    expect(screen.getByText("the gateway is unreachable")).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
    press("Retry");
    expect(client.reconnects).toBe(1);
    play(portfolio(position("SPY", 1)));
    expect(screen.queryByText("Retry")).toBeNull();
  });

  it("keeps what it has while the connection is lost, and says so", () => {
    const { container, play } = show(portfolio(position("SPY", 1)));
    play({ connection: failed("network", "the connection was lost") });
    expect(symbols()).toEqual(["SPY"]);
    expect(container.querySelector<HTMLElement>(".tapecast-positions")?.dataset.state).toBe(
      "connecting",
    );
    expect(screen.getByText("Connecting...")).toBeTruthy();
  });

  it("alerts when the user has to sign in", () => {
    show({ connection: failed("sign-in", "no such token") });
    expect(screen.getByRole("alert").textContent).toMatch(/^no such token/);
  });

  it("does not call a portfolio empty that it does not know", () => {
    const unknown = account({ state: "unknown", reason: "the broker has not reported" });
    const { play } = show({ ...portfolio(), account: unknown });
    expect(screen.getByText("the broker has not reported")).toBeTruthy();
    expect(screen.getByText("Not known")).toBeTruthy();
    play({ account: account(), connection: connection({ denied: ["position:*"] }) });
    expect(screen.getByText("the token does not allow positions")).toBeTruthy();
    play({ connection: connection() });
    expect(screen.getByText("No open positions")).toBeTruthy();
  });

  it("says that the account may not be the newest", () => {
    const stale = account({ state: "stale", reason: "the broker cannot be reached" });
    show({ ...portfolio(position("SPY", 1)), account: stale });
    expect(screen.getByText("the broker cannot be reached")).toBeTruthy();
  });

  it("values your own lots at the stream's prices, and watches only their topics", () => {
    const lots = [{ symbol: "SPY", qty: 3, avg_entry_price: 100 }];
    const { client, play, change } = show({ connection: connection() }, { positions: lots });
    expect(client.watched).toEqual(["price:SPY", "status:SPY"]);
    expect(cells(rowOf("SPY"))).toMatchObject({ 0: "3", 2: "— no price" });
    play({ "price:SPY": price("SPY", 101.1) });
    expect(cells(rowOf("SPY"))[4]).toBe("303.30");
    expect(cells(foot())[6]).toBe("up +3.30 (+1.10%)");
    change({ positions: [], currency: "EUR" });
    expect(screen.getByText("No open positions")).toBeTruthy();
    expect(cells(foot())[4]).toBe("€0.00");
  });

  it("gives each of several lots of one symbol a row, and sums them up", () => {
    const problems = vi.spyOn(console, "error");
    const lots = [
      { symbol: "SPY", qty: 3, avg_entry_price: 100 },
      { symbol: "IBM", qty: 1, avg_entry_price: 200 },
      { symbol: "SPY", qty: 2, avg_entry_price: 90 },
    ];
    const onSelect = vi.fn();
    const { play } = show({ connection: connection() }, { positions: lots, onSelect });
    expect(tags(foot())).toEqual(["partial: excludes SPY, IBM"]);
    play({ "price:SPY": price("SPY", 110), "price:IBM": price("IBM", 200) });
    press("Market value");
    expect(symbols()).toEqual(["SPY", "SPY", "IBM"]);
    expect(rows().map((row) => cells(row)[4])).toEqual(["330.00", "220.00", "200.00"]);
    expect(cells(foot())[4]).toBe("750.00");
    expect(rows().map((row) => row.querySelector("button")?.tabIndex)).toEqual([0, -1, -1]);
    expect(problems).not.toHaveBeenCalled();
  });
});
