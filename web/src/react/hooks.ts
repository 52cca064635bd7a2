/** The hooks. */

import { useEffect, useMemo } from "react";
import { type Connection, type Indicator, StreamError } from "../connection-state.ts";
import type { Account, Position, Price, SymbolStatus } from "../events.ts";
import { indicator, symbolIndicator } from "../indicator.ts";
import { isStock, normalized, priceTopics } from "../topics.ts";
import { useClient } from "./context.tsx";
import { useEach, useValue, useWatch } from "./use-value.ts";

const NOT_YET: Connection = {
  ...indicator("connecting"),
  connected: false,
  error: null,
  attempt: 0,
  retryAt: null,
  feed: null,
  streamId: null,
  denied: [],
};

/** Return how the connection is. */
export const useConnection = (): Connection => useValue("connection") ?? NOT_YET;

/** How to follow prices. */
export interface MarketStreamOptions {
  /** Log what happens to the connection; switching it reconnects nothing. */
  debug?: boolean;
  /** Without it nothing is watched. */
  enabled?: boolean;
}

/** Prices, and how far they are to be trusted. */
export interface MarketStream {
  /** The last price of each symbol that has come; an object stays the same until its price is replaced. */
  prices: Readonly<Record<string, Price>>;
  /** The stream is open and heard. Whether prices reach it, `status` tells. */
  connected: boolean;
  error: StreamError | null;
  status: Indicator;
}

/** Follow the prices of symbols. All hooks of a page share one stream. */
export function useMarketStream(
  symbols: readonly string[],
  { debug, enabled = true }: MarketStreamOptions = {},
): MarketStream {
  const client = useClient();
  useEffect(() => {
    if (debug !== undefined) client.debug = debug;
  }, [client, debug]);
  const wanted = normalized(symbols);
  const known = enabled ? wanted.filter(isStock) : [];
  const bad = wanted.filter((symbol) => !isStock(symbol)).join(", ");
  useWatch(priceTopics(known));
  const events = useEach<Price>(known.map((symbol) => `price:${symbol}`).join());
  const statuses = useEach<SymbolStatus>(known.map((symbol) => `status:${symbol}`).join());
  const connection = useConnection();
  const prices = useMemo(
    () => Object.fromEntries(events.map((event) => [event.symbol, event])),
    [events],
  );
  const mistake = useMemo(
    () => (bad ? new StreamError("symbol", `not a stock symbol: ${bad}`) : null),
    [bad],
  );
  return {
    prices,
    connected: connection.connected,
    error: connection.error ?? mistake,
    status: summary(connection, statuses),
  };
}

/** Return the state that all symbols share, or else the connection's. */
function summary(connection: Connection, statuses: readonly SymbolStatus[]): Indicator {
  const [first, ...others] = statuses.map((status) => symbolIndicator(connection, status));
  return first && others.every(({ state }) => state === first.state) ? first : connection;
}

/** Follow the last price of a symbol. */
export function usePrice(symbol: string): Price | undefined {
  const [name = ""] = normalized([symbol]);
  useWatch(isStock(name) ? priceTopics([name]) : []);
  return useValue(`price:${name}`);
}

/** Return what may be expected of a symbol's price, once it is watched. */
export const useSymbolStatus = (symbol: string): SymbolStatus | undefined =>
  useValue(`status:${symbol}`);

/** The account's open positions. */
export interface Positions {
  /** In the order of symbols; empty until the first have come. */
  positions: readonly Position[];
  /** Undefined until it has come, or where the token does not allow it. */
  account: Account | undefined;
  connected: boolean;
  error: StreamError | null;
  status: Indicator;
}

export const POSITION_TOPICS = ["position:*", "account"];

/** Follow the account's open positions. */
export function usePositions(): Positions {
  useWatch(POSITION_TOPICS);
  const symbols = useValue("positions") ?? [];
  const connection = useConnection();
  return {
    positions: useEach<Position>(symbols.map((symbol) => `position:${symbol}`).join()),
    account: useValue("account"),
    connected: connection.connected,
    error: connection.error,
    status: connection,
  };
}
