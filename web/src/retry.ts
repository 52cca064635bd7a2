/** The last failure, and when the next attempt to open a stream starts. */

import type { StreamError } from "./connection-state.ts";

const BASE_MS = 500;
const LONGEST_MS = 30_000;

export interface Retry {
  /** Why the last attempt failed; null once a stream is open. */
  error: StreamError | null;
  /** Failed attempts since a stream was last healthy. */
  attempt: number;
  /** When the timer fires, unix ms; null if it does not run. */
  retryAt: number | null;
  /**
   * Start the timer: with the delay that the gateway asked for, or with a random one, whose bound
   * doubles with each attempt.
   */
  plan(): void;
  cancel(): void;
}

/** Call `due` when a planned delay has passed. */
export function createRetry(random: () => number, due: () => void): Retry {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const retry: Retry = {
    error: null,
    attempt: 0,
    retryAt: null,
    plan() {
      // The whole delay is random: clients that lost one gateway must not return to it together.
      const bound = Math.min(LONGEST_MS, BASE_MS * 2 ** retry.attempt);
      const ms = retry.error?.retryMs ?? random() * bound;
      retry.retryAt = Date.now() + ms;
      timer = setTimeout(due, ms);
    },
    cancel() {
      clearTimeout(timer);
      retry.retryAt = null;
    },
  };
  return retry;
}
