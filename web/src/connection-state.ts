/** The published state of the connection. */

import type { Feed } from "./events.ts";

/**
 * The state of the connection or, if that is healthy, of the data.
 *
 * - `idle`: no topic is watched.
 * - `connecting`: the stream, or the gateway's feed, is being opened for the first time or again.
 * - `live`: stream, heartbeats and feed are healthy.
 * - `stale`: the gateway is silent, or no prices reach it.
 * - `delayed`: the feed is behind the exchange.
 * - `closed`: the market is closed.
 * - `halted`: the exchange has halted all shown symbols.
 * - `offline`: the device has no network.
 * - `sign-in`: the gateway requires a token, or a different one.
 * - `limit`: the gateway, or this browser, has no room for another stream.
 * - `refused`: the gateway rejected the request.
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

/** A state in words: a `label` to show, and a `detail`, which is a sentence or null. */
export interface Indicator {
  readonly state: ConnectionState;
  readonly label: string;
  readonly detail: string | null;
}

/** The connection as a whole. The object is replaced when one of its fields changes. */
export interface Connection extends Indicator {
  /** The stream is open and its heartbeats arrive. */
  readonly connected: boolean;
  /** Why the last attempt failed; null once a stream is open with the watched topics. */
  readonly error: StreamError | null;
  /** Failed attempts since a stream was last healthy. */
  readonly attempt: number;
  /** When the next attempt starts, unix ms; null if no attempt is planned. */
  readonly retryAt: number | null;
  /** The newest `feed` event, with `session`, `lag_ms` and `state` from the newest heartbeat. */
  readonly feed: Feed | null;
  readonly streamId: string | null;
  /** Topics that the token does not allow. */
  readonly denied: readonly string[];
  /** Symbols whose data a simulator invents, because they are not on its recorded tape. */
  readonly invented: readonly string[];
}

export type StreamErrorCode =
  | "network"
  | "timeout"
  | "unavailable"
  | "sign-in"
  | "limit"
  | "refused"
  | "symbol";

/** Why there is no stream, or only part of it. If it is `retryable`, the client tries again. */
export class StreamError extends Error {
  readonly code: StreamErrorCode;
  readonly retryable: boolean;
  /** The delay before the next attempt, in ms, if the gateway asked for one. */
  readonly retryMs: number | undefined;

  constructor(code: StreamErrorCode, message: string, retryMs?: number) {
    super(message);
    this.code = code;
    this.retryable = !["sign-in", "refused", "symbol"].includes(code);
    this.retryMs = retryMs;
  }
}
