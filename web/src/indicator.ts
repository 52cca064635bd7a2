/** What may be said of a stream or a symbol, honestly. Pure. */

import type { Connection, ConnectionState, Indicator, StreamError } from "./connection-state.ts";
import type { Feed, SymbolStatus } from "./events.ts";

/** After so many heartbeats of silence the newest price may not be the newest. */
export const LATE_BEATS = 1.5;
const DELAYED_MS = 60_000;

const LABELS: Partial<Record<ConnectionState, string>> = {
  live: "LIVE",
  "sign-in": "Sign-in needed",
};

export function indicator(state: ConnectionState, detail: string | null = null): Indicator {
  const label = LABELS[state] ?? `${state[0]?.toUpperCase()}${state.slice(1)}`;
  return { state, label: state === "connecting" ? "Connecting..." : label, detail };
}

/** The transport, as the connection knows it. `silentMs`: nothing was heard for so long. */
export interface Transport {
  watching: boolean;
  online: boolean;
  ready: boolean;
  silentMs: number;
  heartbeatMs: number;
  error: StreamError | null;
}

/** Return the indicator of the whole: the transport first, then the data. */
export function connectionIndicator(transport: Transport, feed: Feed | null): Indicator {
  const { error, silentMs } = transport;
  if (!transport.watching) return indicator("idle");
  if (!transport.ready) {
    if (!transport.online) return indicator("offline", "this device has no network");
    const blocked = error && ["sign-in", "limit", "refused"].includes(error.code);
    return indicator(blocked ? (error.code as ConnectionState) : "connecting", error?.message);
  }
  if (silentMs > transport.heartbeatMs * LATE_BEATS)
    return indicator(
      "stale",
      `nothing heard from the gateway for ${Math.round(silentMs / 1000)} s`,
    );
  if (feed === null || feed.state === "connecting")
    return indicator("connecting", "the gateway's feed is connecting");
  if (feed.state !== "live") return indicator("stale", feed.reason);
  if (feed.session === "closed") return indicator("closed", "the market is closed");
  if ((feed.lag_ms ?? 0) > DELAYED_MS)
    return indicator("delayed", `by ${Math.round((feed.lag_ms ?? 0) / 60_000)} min`);
  return indicator("live");
}

/** Return the indicator of a symbol: the connection's, unless that is live and the symbol is not. */
export function symbolIndicator(
  connection: Connection | undefined,
  status: SymbolStatus | undefined,
): Indicator {
  if (connection?.state === "live" && status !== undefined) {
    const { state, reason } = status;
    if (state === "halted" || state === "stale" || state === "closed")
      return indicator(state, reason);
    if (state === "polled") return indicator("delayed", reason);
  }
  return connection ?? indicator("connecting");
}
