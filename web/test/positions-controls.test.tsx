import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MarketProvider, Paced } from "../src/index.ts";
import { connection, failed, PlayedClient, portfolio, position, status } from "./played-client.ts";
import { after, cells, foot, press, rowOf, show, tree } from "./shown-table.tsx";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date("2026-11-25T15:00:12.5Z") });
});

afterEach(() => {
  cleanup();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const priced = (value: number) => ({ "position:SPY": position("SPY", value) });
const last = () => cells(rowOf("SPY"))[2];

describe("the controls", () => {
  it("pause the shown values and ages, and continue with the newest", async () => {
    const { client, play } = show(portfolio(position("SPY", 101)));
    const pause = screen.getByRole("button", { name: "Pause" });
    expect(pause.getAttribute("aria-pressed")).toBe("false");
    press("Pause");
    play(priced(102));
    await after(12_000);
    play(priced(103));
    expect(last()).toBe("101.00");
    expect(cells(foot())[4]).toBe("$1,010.00");
    expect(cells(rowOf("SPY"))[7]).toBe("12 s");
    expect(pause.getAttribute("aria-pressed")).toBe("true");
    expect(screen.getByText(/^Paused/).textContent).toBe("Paused · 12 s");
    expect(client.watched).toContain("position:*");
    press("Pause");
    expect(last()).toBe("103.00");
    expect(cells(rowOf("SPY"))[7]).toBe("24 s");
    expect(screen.queryByText(/Paused/)).toBeNull();
  });

  it("show the connection while paused", () => {
    const { play } = show(portfolio(position("SPY", 101)));
    press("Pause");
    play({ connection: failed("network", "the connection was lost") });
    expect(screen.getByText("Connecting...")).toBeTruthy();
  });

  it("slow the updates down, those of ages as well", async () => {
    const { play } = show(portfolio(position("SPY", 101)));
    fireEvent.change(screen.getByRole("combobox", { name: "Updates" }), { target: { value: "5" } });
    play(priced(102));
    await after(4000);
    expect(last()).toBe("101.00");
    expect(cells(rowOf("SPY"))[7]).toBe("12 s");
    await after(1000);
    expect(last()).toBe("102.00");
    expect(cells(rowOf("SPY"))[7]).toBe("17 s");
  });

  it("are not there when they are switched off, and the status is", () => {
    show(portfolio(), { controls: false });
    expect(screen.queryByRole("button", { name: "Pause" })).toBeNull();
    expect(screen.queryByRole("combobox")).toBeNull();
    expect(screen.getByText("LIVE")).toBeTruthy();
    expect(screen.getByRole("status")).toBeTruthy();
  });

  it("leave palette and theme to the application", () => {
    const { container, change } = show({}, { palette: "eastern", theme: "dark" });
    const { dataset } = container.firstElementChild as HTMLElement;
    expect(dataset).toMatchObject({ palette: "eastern", theme: "dark" });
    change({ palette: "colour-blind", theme: "auto" });
    expect(dataset).toMatchObject({ palette: "colour-blind", theme: "auto" });
  });
});

describe("the status that is read out", () => {
  const said = () => screen.getByRole("status").textContent;

  it("is there from the start, says nothing yet, and is whole when it is said", () => {
    show();
    const element = screen.getByRole("status");
    expect(element.textContent).toBe("");
    expect(element.getAttribute("aria-live")).toBe("polite");
    expect(element.getAttribute("aria-atomic")).toBe("true");
  });

  it("says how the connection is once that has lasted two seconds", async () => {
    const { play } = show(portfolio(position("SPY", 101)));
    await after(1999);
    expect(said()).toBe("");
    await after(1);
    expect(said()).toBe("LIVE");
    play({ connection: failed("network", "the connection was lost") });
    await after(1500);
    play({ connection: connection() });
    await after(5000);
    expect(said()).toBe("LIVE");
    play({ connection: failed("network", "the connection was lost") });
    await after(2000);
    expect(said()).toBe("Connecting...");
  });

  it("says which symbols are halted, and does not change with prices", async () => {
    const { play } = show(portfolio(position("SPY", 101), position("NVDA", 1)));
    await after(2000);
    const changes: string[] = [];
    const observer = new MutationObserver(() => changes.push(`${said()}`));
    const watched = { childList: true, characterData: true, subtree: true };
    observer.observe(screen.getByRole("status"), watched);
    play({ "status:NVDA": status("NVDA", "halted") });
    for (let value = 90; value < 100; value++) {
      play(priced(value));
      await after(1000);
    }
    play({ "status:NVDA": status("NVDA", "live") });
    await after(2000);
    observer.disconnect();
    expect(changes).toEqual(["LIVE. NVDA halted", "LIVE"]);
  });

  it("says the total each 20 s when asked to, and not while paused", async () => {
    const { play } = show(portfolio(position("SPY", 101)));
    await after(2000);
    press("Announce P&L");
    await after(19_999);
    expect(said()).toBe("LIVE");
    play(priced(102));
    await after(1);
    expect(said()).toBe("Unrealized P&L +$20.00");
    press("Pause");
    play(priced(103));
    await after(20_000);
    expect(said()).toBe("Unrealized P&L +$20.00");
    press("Pause");
    await after(20_000);
    expect(said()).toBe("Unrealized P&L +$30.00");
  });
});

describe("selecting a row", () => {
  const rowButton = (name: string) => screen.getByRole("button", { name });
  const key = (name: string) =>
    fireEvent.keyDown(document.activeElement as Element, { key: name, bubbles: true });

  it("is not offered if there is no listener", () => {
    show(portfolio(position("SPY", 101)));
    expect(screen.queryByRole("button", { name: "SPY" })).toBeNull();
  });

  it("goes by a click anywhere in the row, and marks the row that is selected", () => {
    const onSelect = vi.fn();
    const { change } = show(portfolio(position("A", 1), position("B", 2)), { onSelect });
    fireEvent.click(rowOf("B").querySelectorAll("td")[3] as Element);
    fireEvent.click(rowButton("A"));
    expect(onSelect.mock.calls).toEqual([["B"], ["A"]]);
    change({ onSelect, selected: "A" });
    expect(rowOf("A").getAttribute("aria-current")).toBe("true");
    expect(rowOf("B").getAttribute("aria-current")).toBe("false");
  });

  it("goes by arrow keys, one row being on the way of the tab key", () => {
    show(portfolio(position("A", 1), position("B", 2)), { onSelect: vi.fn() });
    expect([rowButton("A").tabIndex, rowButton("B").tabIndex]).toEqual([0, -1]);
    act(() => rowButton("A").focus());
    expect(key("ArrowUp")).toBe(true);
    expect(document.activeElement).toBe(rowButton("A"));
    expect(key("ArrowDown")).toBe(false);
    expect(document.activeElement).toBe(rowButton("B"));
    key("ArrowDown");
    key("x");
    expect(document.activeElement).toBe(rowButton("B"));
    key("ArrowUp");
    expect(document.activeElement).toBe(rowButton("A"));
  });

  it("keeps its focus when prices come, rows are sorted, and others go", () => {
    const { play } = show(portfolio(position("A", 1), position("B", 2)), { onSelect: vi.fn() });
    act(() => rowButton("B").focus());
    play({ "position:B": position("B", 3), "status:B": status("B", "halted") });
    press("Last price");
    play({ positions: ["B"] });
    expect(document.activeElement).toBe(rowButton("B"));
    expect(rowButton("B").tabIndex).toBe(0);
  });

  it("comes to the first row when the one on the way of the tab key has gone", () => {
    const { play } = show(portfolio(position("A", 1), position("B", 2)), { onSelect: vi.fn() });
    act(() => rowButton("B").focus());
    play({ positions: ["A"] });
    expect(rowButton("A").tabIndex).toBe(0);
  });
});

it("stands still, with its ages, inside a paused `Paced`, and continues with it", async () => {
  const client = new PlayedClient();
  client.play(portfolio(position("SPY", 101)));
  const page = (pace: "paused" | 0) => (
    <Paced pace={pace}>{tree(client, { controls: false })}</Paced>
  );
  const { rerender } = render(page(0), {
    wrapper: ({ children }) => <MarketProvider client={client}>{children}</MarketProvider>,
  });
  rerender(page("paused"));
  act(() => client.play(priced(102)));
  await after(5000);
  expect(last()).toBe("101.00");
  expect(cells(rowOf("SPY"))[7]).toBe("12 s");
  rerender(page(0));
  await after(1000);
  expect(last()).toBe("102.00");
  expect(cells(rowOf("SPY"))[7]).toBe("18 s");
});
