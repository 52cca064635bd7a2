import { act, cleanup, render } from "@testing-library/react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MarketProvider, PositionsTable } from "../src/index.ts";
import { figureCells } from "../src/react/columns.tsx";
import { connection, PlayedClient, portfolio, position, price, status } from "./played-client.ts";
import { after, cells, rowOf, rows, tree } from "./shown-table.tsx";

vi.mock(import("../src/react/columns.tsx"), async (original) => {
  const columns = await original();
  return { ...columns, figureCells: vi.fn(columns.figureCells) };
});

let client: PlayedClient;

/** Return the symbols of the rows that have been rendered since; the sums have none. */
function rendered() {
  const calls = vi.mocked(figureCells).mock.calls.map(([of]) => of.symbol);
  vi.mocked(figureCells).mockClear();
  return calls.filter((symbol) => symbol !== undefined);
}
const play = (values: Record<string, unknown>) => act(() => client.play(values));

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-11-25T15:00:12Z") });
  client = new PlayedClient();
});

afterEach(() => {
  cleanup();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("the rows of the positions table", () => {
  beforeEach(() => {
    client.play(portfolio(position("A", 1), position("B", 2), position("C", 3)));
    render(
      <MarketProvider client={client}>
        <PositionsTable />
      </MarketProvider>,
    );
    expect(rendered()).toEqual(["A", "B", "C"]);
  });

  it("are rendered when their own topics change", () => {
    play({ "position:B": position("B", 9) });
    expect(rendered()).toEqual(["B"]);
    play({ "status:C": status("C", "halted") });
    expect(rendered()).toEqual(["C"]);
  });

  it("are not rendered for ages, the account, the connection, or a header that is pressed", async () => {
    await after(3000);
    play({ connection: connection({ state: "stale", label: "Stale" }) });
    play({ account: { state: "stale", reason: "the broker is unreachable", currency: "USD" } });
    act(() => document.querySelectorAll<HTMLElement>("thead button")[1]?.click());
    expect(rendered()).toEqual([]);
  });
});

describe("a server", () => {
  it("renders on a server, and hydrates in a browser that has newer values", async () => {
    const complain = vi.spyOn(console, "error");
    const lots = [{ symbol: "SPY", qty: 3, avg_entry_price: 100 }];
    for (const props of [{}, { positions: lots }]) {
      const place = document.createElement("div");
      place.innerHTML = renderToString(tree(new PlayedClient(), props));
      expect(place.textContent).toContain("Connecting...");
      client.play({ ...portfolio(position("SPY", 1)), "price:SPY": price("SPY", 101.1) });
      document.body.append(place);
      const root = await act(async () => hydrateRoot(place, tree(client, props)));
      expect(rows()).toHaveLength(1);
      expect(cells(rowOf("SPY"))[4]).toBe("positions" in props ? "$303.30" : "$10.00");
      act(() => root.unmount());
      place.remove();
    }
    expect(complain).not.toHaveBeenCalled();
  });

  it("starts nothing", () => {
    const other = new PlayedClient();
    renderToString(tree(other));
    expect(other.watched).toEqual([]);
    expect(other.followers).toBe(0);
  });
});
