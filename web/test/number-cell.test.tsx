import { cleanup, render } from "@testing-library/react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FigureProps, MarketProvider, NumberCell, useValue } from "../src/index.ts";
import { PlayedClient, price } from "./played-client.ts";

const animate = vi.fn();

const row = (props: FigureProps) => (
  <table>
    <tbody>
      <tr>
        <NumberCell flash {...props} />
      </tr>
    </tbody>
  </table>
);
function shown(...texts: [string, number | null][]) {
  const figures = texts.map(([text, value]) => ({ text, value }));
  const { rerender } = render(row(figures[0] as FigureProps));
  return figures.slice(1).map((each) => () => rerender(row(each)));
}
const colours = () =>
  animate.mock.calls.map(([{ backgroundColor }]) => /up|down/.exec(backgroundColor[0])?.[0]);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  vi.advanceTimersByTime(5000);
  animate.mockClear();
  Element.prototype.animate = animate;
});

afterEach(() => {
  cleanup();
  Reflect.deleteProperty(Element.prototype, "animate");
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a number cell", () => {
  it("flashes in the colour of the direction when its text changes", () => {
    for (const change of shown(["1.00", 1], ["2.00", 2], ["1.50", 1.5])) {
      vi.advanceTimersByTime(500);
      change();
    }
    expect(colours()).toEqual(["up", "down"]);
  });

  it("flashes in the frame that shows the new text", async () => {
    const client = new PlayedClient();
    client.play({ "price:SPY": price("SPY", 1) });
    function Last() {
      const last = useValue("price:SPY")?.price ?? null;
      return row({ text: `${last}`, value: last });
    }
    const wrapper = (props: object) => <MarketProvider client={client} {...props} />;
    const { container } = render(<Last />, { wrapper });
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", false);
    client.play({ "price:SPY": price("SPY", 2) });
    await Promise.resolve(); // what a browser paints after is a task, not a promise
    expect(container.textContent).toBe("2");
    expect(colours()).toEqual(["up"]);
  });

  it("does not flash when the number changes and its text does not", () => {
    for (const change of shown(["1.00", 1], ["1.00", 1.001])) change();
    expect(animate).not.toHaveBeenCalled();
  });

  it("does not flash when it is first shown, nor when its first number comes", () => {
    for (const change of shown(["—", null], ["1.00", 1])) change();
    expect(animate).not.toHaveBeenCalled();
  });

  it("flashes at most twice a second, relative to the value shown last", () => {
    const [first, second, third] = shown(["5.0", 5], ["6.0", 6], ["9.0", 9], ["8.0", 8]);
    first?.();
    vi.advanceTimersByTime(499);
    second?.();
    expect(colours()).toEqual(["up"]);
    vi.advanceTimersByTime(1);
    third?.();
    expect(colours()).toEqual(["up", "down"]);
  });

  it("does without where a browser has no animations", () => {
    Reflect.deleteProperty(Element.prototype, "animate");
    for (const change of shown(["1.00", 1], ["2.00", 2])) expect(change).not.toThrow();
  });

  it("says a sign by a tone, which is a colour and an arrow, and by a word", () => {
    const cell = (text: string) => {
      cleanup();
      return render(row({ text, signed: true })).container.querySelector("td");
    };
    const up = cell("+$1.00");
    expect(up?.dataset.tone).toBe("up");
    expect(up?.querySelector(".tapecast-hidden")?.textContent).toBe("up ");
    expect(cell("-$1.00")?.textContent).toBe("down -$1.00");
    expect(cell("−1,00 kr")?.dataset.tone).toBe("down");
    expect(cell("$0.00")?.dataset.tone).toBeUndefined();
    expect(cell("—")?.dataset.tone).toBeUndefined();
  });

  it("has no tone for a figure whose sign is no news", () => {
    expect(render(row({ text: "-10" })).container.querySelector("[data-tone]")).toBeNull();
  });

  it("says in words that there is no price, and why in its title", () => {
    const { container } = render(row({ text: "—", title: "no trade yet" }));
    expect(container.querySelector("td")?.textContent).toBe("— no price");
    expect(container.querySelector("td")?.title).toBe("no trade yet");
  });

  it("is rendered by a server without a warning", () => {
    const complain = vi.spyOn(console, "error");
    expect(renderToString(row({ text: "1.00" }))).toContain("1.00");
    expect(complain).not.toHaveBeenCalled();
  });
});
