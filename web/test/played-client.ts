/** A client that tests supply with values, instead of a gateway. */

import {
  type Account,
  type Connection,
  type MarketClient,
  type Position,
  type Price,
  StreamError,
  type StreamErrorCode,
  type SymbolState,
  type SymbolStatus,
} from "../src/index.ts";

export class PlayedClient implements MarketClient {
  debug = false;
  reconnects = 0;
  readonly values = new Map<string, unknown>();
  readonly listeners = new Map<string, Set<() => void>>();
  /** The watched topics, each with the number of its watchers. */
  readonly wanted = new Map<string, number>();

  readonly get = ((topic: string) => this.values.get(topic)) as MarketClient["get"];
  readonly subscribe = (topic: string, listener: () => void): (() => void) => {
    const those = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, those.add(listener));
    return () => those.delete(listener);
  };
  readonly watch = (topics: readonly string[]): (() => void) => {
    const count = (by: number) => {
      for (const topic of topics) this.wanted.set(topic, (this.wanted.get(topic) ?? 0) + by);
    };
    count(1);
    return () => count(-1);
  };
  readonly on = (): (() => void) => () => {};
  readonly reconnect = (): void => {
    this.reconnects++;
  };
  readonly close = (): void => {};

  /** Replace values and call their listeners, as one frame does. */
  play(values: Record<string, unknown>): void {
    const due = new Set<() => void>();
    for (const [topic, value] of Object.entries(values)) {
      this.values.set(topic, value);
      for (const each of this.listeners.get(topic) ?? []) due.add(each);
    }
    for (const each of due) each();
  }
  get watched(): string[] {
    return [...this.wanted].flatMap(([topic, count]) => (count > 0 ? topic : [])).sort();
  }
  get followers(): number {
    return [...this.listeners.values()].reduce((sum, those) => sum + those.size, 0);
  }
}

export const connection = (more: Partial<Connection> = {}): Connection => ({
  state: "live",
  label: "LIVE",
  detail: null,
  connected: true,
  error: null,
  attempt: 0,
  retryAt: null,
  feed: null,
  streamId: "stream-1",
  denied: [],
  invented: [],
  ...more,
});

/** A connection that an error has ended, until the next attempt or permanently. */
export const failed = (code: StreamErrorCode, message: string): Connection =>
  code === "sign-in"
    ? connection({
        ...{ state: "sign-in", label: "Sign-in needed", connected: false },
        ...{ detail: message, error: new StreamError(code, message) },
      })
    : connection({
        ...{ state: "connecting", label: "Connecting...", connected: false },
        ...{ detail: message, error: new StreamError(code, message) },
      });

const NOTHING: Position = {
  event_id: "1-1",
  symbol: "",
  asset_class: "us_equity",
  qty: null,
  side: null,
  avg_entry_price: null,
  current_price: null,
  price_source: null,
  lastday_price: null,
  change_today: null,
  market_value: null,
  cost_basis: null,
  unrealized_pl: null,
  unrealized_plpc: null,
  unrealized_intraday_pl: null,
  unrealized_intraday_plpc: null,
  timestamp: null,
  as_of: null,
  reason: null,
  removed: false,
};

/** Ten shares bought at 100 that closed at 101, at a price in whole cents. */
export function position(symbol: string, price: number, more: Partial<Position> = {}): Position {
  return {
    ...NOTHING,
    symbol,
    qty: 10,
    side: "long",
    avg_entry_price: 100,
    current_price: price,
    price_source: "trade",
    lastday_price: 101,
    change_today: price / 101 - 1,
    market_value: Math.round(price * 1000) / 100,
    cost_basis: 1000,
    unrealized_pl: Math.round(price * 1000 - 100_000) / 100,
    unrealized_plpc: price / 100 - 1,
    unrealized_intraday_pl: Math.round(price * 1000 - 101_000) / 100,
    unrealized_intraday_plpc: price / 101 - 1,
    timestamp: "2026-11-25T15:00:00.123456789Z",
    as_of: "2026-11-25T14:30:00Z",
    ...more,
  };
}

/** A position that has no price, and why. */
export const unpriced = (symbol: string, reason: string): Position => ({
  ...NOTHING,
  symbol,
  reason,
  qty: 10,
  side: "long",
  avg_entry_price: 100,
  cost_basis: 1000,
});

export const account = (more: Partial<Account> = {}): Partial<Account> => ({
  state: "live",
  reason: null,
  currency: "USD",
  ...more,
});

export const price = (symbol: string, value: number | null, more: Partial<Price> = {}): Price => ({
  event_id: "1-1",
  symbol,
  price: value,
  size: 100,
  exchange: "V",
  conditions: [],
  tape: "A",
  session: "regular",
  timestamp: "2026-11-25T15:00:00Z",
  previous_close: 100,
  change: null,
  change_percent: value === null ? null : value / 100 - 1,
  received: null,
  reason: null,
  ...more,
});

export const status = (symbol: string, state: SymbolState): SymbolStatus => ({
  event_id: "1-1",
  symbol,
  state,
  reason: state === "live" ? null : `it is ${state}`,
  since: "2026-11-25T15:00:00Z",
  notice: null,
  short_sale_restricted: null,
  short_sale_as_of: null,
});

/** The values of an account with open positions when everything is healthy. */
export const portfolio = (...positions: Position[]): Record<string, unknown> => ({
  connection: connection(),
  account: account(),
  positions: positions.map(({ symbol }) => symbol),
  ...Object.fromEntries(positions.map((each) => [`position:${each.symbol}`, each])),
});
