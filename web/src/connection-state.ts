/** What is told of the connection. */

import type { Feed } from "./events.ts";

/**
 * How things are, the transport's clock before the data's.
 *
 * `connecting`: the stream is being opened, again or for the first time. `live`: stream, heartbeat
 * and feed are healthy. `stale`: prices do not reach the gateway, or the gateway is silent.
 * `delayed`: the feed is behind the exchange. `closed`: the market is. `halted`: the exchange has
 * halted all that is shown. `sign-in`: the gateway wants another token. `limit`: there is no room
 * for one stream more. `refused`: the gateway does not take the request. `idle`: nothing is watched.
 */
export type ConnectionState =
  | "idle"
  | "connecting"
  | "live"
  | "stale"
  | "delayed"
  | "closed"
  | "halted"
  | "offline"
  | "sign-in"
  | "limit"
  | "refused";

/** A state with its words: `label` is what an indicator shows, `detail` a sentence or null. */
export interface Indicator {
  readonly state: ConnectionState;
  readonly label: string;
  readonly detail: string | null;
}

/** The connection as a whole; replaced whenever something of it changes. */
export interface Connection extends Indicator {
  /** The stream is open and heard. */
  readonly connected: boolean;
  /** Why the last attempt failed; null once a stream is ready. */
  readonly error: StreamError | null;
  /** Failed attempts since a stream was last healthy. */
  readonly attempt: number;
  /** When the next attempt begins, unix ms; null where none is planned. */
  readonly retryAt: number | null;
  /** The upstream as the gateway sees it; its `session`, `lag_ms` and `state` by the newest heartbeat. */
  readonly feed: Feed | null;
  readonly streamId: string | null;
  /** Topics that the token does not allow. */
  readonly denied: readonly string[];
}

export type StreamErrorCode =
  | "network"
  | "timeout"
  | "unavailable"
  | "sign-in"
  | "limit"
  | "refused"
  | "symbol";

/** Why there is no stream, or not the whole. `retryable`: the client tries again by itself. */
export class StreamError extends Error {
  readonly code: StreamErrorCode;
  readonly retryable: boolean;
  /** When to try again at the earliest, in ms, where the gateway says so. */
  readonly retryMs: number | undefined;

  constructor(code: StreamErrorCode, message: string, retryMs?: number) {
    super(message);
    this.code = code;
    this.retryable = !["sign-in", "refused", "symbol"].includes(code);
    this.retryMs = retryMs;
  }
}
