/** The hooks for prices, positions and the connection. */

import { useEffect, useMemo } from "react";
import { type Connection, type Indicator, StreamError } from "../connection-state.ts";
import type { Account, Position, Price, SymbolStatus } from "../events.ts";
import { indicator, symbolIndicator } from "../indicator.ts";
import { isSymbol, normalized, priceTopics } from "../topics.ts";
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
  invented: [],
};

/** Return the state of the connection. */
export const useConnection = (): Connection => useValue("connection") ?? NOT_YET;

/** The options of `useMarketStream`. */
export interface MarketStreamOptions {
  /** Log each change of the connection. Changing this option does not reconnect. */
  debug?: boolean;
  /** If false, the hook watches nothing. */
  enabled?: boolean;
}

/** Prices, and whether they are current. */
export interface MarketStream {
  /** The last known price of each symbol. An object stays the same until its price is replaced. */
  prices: Readonly<Record<string, Price>>;
  /** The stream is open and its heartbeats arrive. `status` also covers the feed. */
  connected: boolean;
  error: StreamError | null;
  status: Indicator;
}

/** Watch the prices of symbols. All hooks of a page share one stream. */
export function useMarketStream(
  symbols: readonly string[],
  { debug, enabled = true }: MarketStreamOptions = {},
): MarketStream {
  const client = useClient();
  useEffect(() => {
    if (debug !== undefined) client.debug = debug;
  }, [client, debug]);
  const wanted = normalized(symbols);
  const known = enabled ? wanted.filter(isSymbol) : [];
  const bad = wanted.filter((symbol) => !isSymbol(symbol)).join(", ");
  useWatch(priceTopics(known));
  const events = useEach<Price>(known.map((symbol) => `price:${symbol}`).join());
  const statuses = useEach<SymbolStatus>(known.map((symbol) => `status:${symbol}`).join());
  const connection = useConnection();
  const prices = useMemo(
    () => Object.fromEntries(events.map((event) => [event.symbol, event])),
    [events],
  );
  const mistake = useMemo(
    () => (bad ? new StreamError("symbol", `not a symbol: ${bad}`) : null),
    [bad],
  );
  return {
    prices,
    connected: connection.connected,
    error: connection.error ?? mistake,
    status: summary(connection, statuses),
  };
}

/** Return the indicator that all symbols share; if they differ, the connection's. */
function summary(connection: Connection, statuses: readonly SymbolStatus[]): Indicator {
  const [first, ...others] = statuses.map((status) => symbolIndicator(connection, status));
  return first && others.every(({ state }) => state === first.state) ? first : connection;
}

/** Watch the last price of a symbol. */
export function usePrice(symbol: string): Price | undefined {
  const [name = ""] = normalized([symbol]);
  useWatch(isSymbol(name) ? priceTopics([name]) : []);
  return useValue(`price:${name}`);
}

/** Return the status of a watched symbol. */
export const useSymbolStatus = (symbol: string): SymbolStatus | undefined =>
  useValue(`status:${symbol}`);

/** The account's open positions. */
export interface Positions {
  /** Sorted by symbol; empty until they arrive. */
  positions: readonly Position[];
  /** Undefined until it arrives, or if the token does not allow it. */
  account: Account | undefined;
  connected: boolean;
  error: StreamError | null;
  status: Indicator;
}

export const POSITION_TOPICS = ["position:*", "account"];

/** Watch the account's open positions. */
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
