/**
 * The data of a gateway's events, as in its `/openapi.json`.
 *
 * `timestamp` is the exchange's, RFC 3339 with nanoseconds; money is rounded to cents; ratios are
 * fractions (0.2 = 20 %).
 */

interface Published {
  /** `<epoch>-<seq>`; increases within a topic. */
  event_id: string;
}

export type Session = "pre" | "regular" | "post" | "overnight" | "closed" | "unknown";

/** The last price of a symbol, or the `reason` for its absence. */
export interface Price extends Published {
  symbol: string;
  price: number | null;
  size: number | null;
  exchange: string | null;
  conditions: string[];
  tape: string | null;
  session: Session | null;
  timestamp: string | null;
  previous_close: number | null;
  change: number | null;
  change_percent: number | null;
  /** The ingest's clock, unix µs. */
  received: number | null;
  reason: string | null;
  /** True if the feed shows its trades fifteen minutes late. */
  delayed?: boolean;
  /** Of a pair: the zone at whose midnight the day of `previous_close` begins. */
  day_zone?: string;
}

export type SymbolState = "live" | "quiet" | "stale" | "halted" | "closed" | "polled" | "rejected";

/** Whether a symbol's price is current. */
export interface SymbolStatus extends Published {
  symbol: string;
  state: SymbolState;
  /** A sentence; null for `live`. */
  reason: string | null;
  since: string;
  /** The exchange's newest trading status of the session, unless `reason` says it. */
  notice: string | null;
  /** Whether short sales are restricted; null: not reported, as for tape C. */
  short_sale_restricted: boolean | null;
  /** The time of that report. */
  short_sale_as_of: string | null;
}

export type Timeframe = "1Min" | "5Min" | "15Min" | "1Hour" | "1Day";

/** A whole bar; a running one has `revision` 0 and is not `final`. */
export interface Bar extends Published {
  symbol: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  trade_count: number | null;
  vwap: number | null;
  /** Counts the versions of a bar whose span has ended, from 0. */
  revision: number;
  final: boolean;
  /** The start of the bar. */
  timestamp: string;
  /** The first version of a bar that is older than one already shown: insert it. */
  late?: boolean;
  /** Made of prints, some of which are missing: REST has not completed it yet. */
  partial?: boolean;
}

/** Earlier bars have changed and no event has said so: read `/api/bars` again. */
export interface Reload extends Published {
  symbol: string;
  timeframe: Timeframe;
  reason: "split" | "filled";
  timestamp: string;
}

/** An open position at its newest price; negative when sold short. */
export interface Position extends Published {
  symbol: string;
  asset_class: string | null;
  qty: number | null;
  side: "long" | "short" | null;
  avg_entry_price: number | null;
  current_price: number | null;
  price_source: "trade" | "broker" | null;
  lastday_price: number | null;
  change_today: number | null;
  market_value: number | null;
  cost_basis: number | null;
  unrealized_pl: number | null;
  unrealized_plpc: number | null;
  unrealized_intraday_pl: number | null;
  unrealized_intraday_plpc: number | null;
  timestamp: string | null;
  as_of: string | null;
  reason: string | null;
  removed: boolean;
}

/** The account's value. `positions` are the symbols of all open positions. */
export interface Account extends Published {
  state: "unknown" | "live" | "stale";
  reason: string | null;
  currency: string | null;
  equity: number | null;
  last_equity: number | null;
  day_pl: number | null;
  day_plpc: number | null;
  cash: number | null;
  buying_power: number | null;
  long_market_value: number | null;
  short_market_value: number | null;
  unrealized_pl: number | null;
  unrealized_intraday_pl: number | null;
  positions: string[];
  unpriced: string[];
  partial: boolean;
  as_of: string | null;
}

export type FeedState = "connecting" | "live" | "reconnecting" | "failed" | "down";

/** The upstream, as the gateway sees it. */
export interface Feed extends Published {
  alpaca_connected: boolean;
  state: FeedState;
  reason: string | null;
  since: string;
  session: Session;
  next_open: string | null;
  next_close: string | null;
  lag_ms: number | null;
}

/** The first event of a stream: the request as the gateway understood it. */
export interface Hello extends Published {
  stream_id: string;
  server_time: string;
  heartbeat_seconds: number;
  topics: string[];
  denied: string[];
  /** Symbols of the topics whose data a simulator invents. */
  invented: string[];
  interval: number;
  intervals?: Record<string, number>;
  resumed: boolean;
}

/** The snapshot is complete; the following events are live. */
export interface Ready extends Published {
  server_time: string;
}

/** Sent at intervals, even if there are no trades. */
export interface Heartbeat extends Published {
  server_time: string;
  feed_state: FeedState;
  session: Session;
  lag_ms: number | null;
}

/** Events of topics are lost. */
export interface Gap extends Published {
  topics: string[];
  from: string | null;
  to: string | null;
  reason: string;
}

/** The gateway ends the stream. */
export interface Bye extends Published {
  reason: "shutdown" | "slow" | "expired" | "max_age" | "busy" | "unavailable";
  retry_ms: number;
}
