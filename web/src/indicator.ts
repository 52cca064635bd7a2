/** The indicators of a stream and of a symbol. Pure. */

import type { Connection, ConnectionState, Indicator, StreamError } from "./connection-state.ts";
import type { Feed, SymbolStatus } from "./events.ts";
import type { Link } from "./link.ts";

/** After this many heartbeats of silence, the shown prices may be out of date. */
export const LATE_BEATS = 1.5;
const DELAYED_MS = 60_000;

const LABELS: Partial<Record<ConnectionState, string>> = {
  live: "LIVE",
  connecting: "Connecting...",
  "sign-in": "Sign-in needed",
};

export const indicator = (state: ConnectionState, detail: string | null = null): Indicator => ({
  state,
  label: LABELS[state] ?? state.replace(/./, (first) => first.toUpperCase()),
  detail,
});

type Liveness = Pick<Link, "ready" | "lastEventAt" | "heartbeatMs">;

/** Return whether no event has arrived for longer than a number of heartbeats. */
export const isSilent = (link: Liveness, now: number, beats: number): boolean =>
  now - link.lastEventAt > link.heartbeatMs * beats;

/** Return the connection's indicator: of the stream first, then of the data. `now` is unix ms. */
export function connectionIndicator(
  link: Liveness | null,
  error: StreamError | null,
  feed: Feed | null,
  now: number,
): Indicator {
  if (!link?.ready) {
    if (globalThis.navigator?.onLine === false)
      return indicator("offline", "this device has no network");
    const { code, message } = error ?? {};
    return code === "sign-in" || code === "limit" || code === "refused"
      ? indicator(code, message)
      : indicator("connecting", message);
  }
  if (isSilent(link, now, LATE_BEATS))
    return indicator("stale", `no event for ${Math.round((now - link.lastEventAt) / 1000)} s`);
  const { state, reason, session, lag_ms } = feed ?? {};
  if (state !== "live")
    return indicator(!state || state === "connecting" ? "connecting" : "stale", reason);
  if (session === "closed") return indicator("closed");
  if (lag_ms && lag_ms > DELAYED_MS)
    return indicator("delayed", `by ${Math.round(lag_ms / 60_000)} min`);
  return indicator("live");
}

/** Return the connection's indicator, unless the connection is live and the symbol is not. */
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
