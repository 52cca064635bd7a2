import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { ConnectionBadge, MarketProvider, symbolIndicator } from "../src/index.ts";
import { connection, failed, PlayedClient, status } from "./played-client.ts";

afterEach(cleanup);

const client = new PlayedClient();
const badge = (indicator?: Parameters<typeof ConnectionBadge>[0]["indicator"]) =>
  render(
    <MarketProvider client={client}>
      <ConnectionBadge {...(indicator && { indicator })} />
    </MarketProvider>,
  ).container;

describe("the badge", () => {
  it("shows the label, and the detail beside it", () => {
    const container = badge();
    expect(container.textContent).toBe("Connecting...");
    act(() => client.play({ connection: connection() }));
    expect(container.textContent).toBe("LIVE");
    expect(screen.getByText("LIVE").dataset.state).toBe("live");
    act(() => client.play({ connection: failed("network", "the connection was lost") }));
    expect(screen.getByText("Connecting...").nextElementSibling?.textContent).toBe(
      "the connection was lost",
    );
  });

  it("shows another indicator when it is given one", () => {
    badge(symbolIndicator(connection(), status("SPY", "halted")));
    expect(screen.getByText("Halted").dataset.state).toBe("halted");
    expect(screen.getByText("it is halted")).toBeTruthy();
  });
});
