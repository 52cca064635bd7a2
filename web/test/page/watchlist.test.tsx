import { act, cleanup, render } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { Watchlist } from "../../page/watchlist.tsx";
import { INVENTED, MarketProvider } from "../../src/index.ts";
import { connection, PlayedClient, status } from "../played-client.ts";

afterEach(cleanup);

function show(...symbols: string[]) {
  const client = new PlayedClient();
  const { container } = render(
    <MarketProvider client={client}>
      <Watchlist symbols={symbols} selected={null} onSelect={() => {}} onRemove={() => {}} />
    </MarketProvider>,
  );
  return {
    play: (values: Record<string, unknown>) => act(() => client.play(values)),
    /** Return the tags beside a symbol. */
    tags: (symbol: string) => [
      ...container.querySelectorAll<HTMLElement>(`tr[data-symbol="${symbol}"] .tag`),
    ],
  };
}

const words = (tags: HTMLElement[]) => tags.map((tag) => tag.textContent);

test("a symbol whose prices are invented has a tag that says why", () => {
  const { play, tags } = show("AAPL", "SPY");
  play({ connection: connection({ invented: ["AAPL"] }) });
  expect(words(tags("AAPL"))).toEqual(["invented"]);
  expect(tags("AAPL")[0]?.title).toBe(INVENTED);
  expect(tags("SPY")).toEqual([]);
});

test("it keeps the tag of its state, too", () => {
  const { play, tags } = show("AAPL");
  play({ connection: connection({ invented: ["AAPL"] }), "status:AAPL": status("AAPL", "quiet") });
  expect(words(tags("AAPL"))).toEqual(["quiet", "invented"]);
});

test("no symbol has it while all prices are Alpaca's", () => {
  const { play, tags } = show("AAPL");
  play({ connection: connection() });
  expect(tags("AAPL")).toEqual([]);
});
