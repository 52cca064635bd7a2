/** A tab's slot among the tabs of one browser that hold a stream of the same gateway open. */

import { StreamError } from "./connection-state.ts";

const SLOTS = 5;
const RETRY_MS = 3000;

/**
 * Acquire a slot and return the function that releases it; undefined if all slots are in use.
 *
 * A sixth stream over HTTP/1.1 would leave no connection to load a page with, and the browser would
 * hang without an error. Over TLS there may be HTTP/2, which has no such limit.
 */
export async function acquireSlot(url: string, slot = SLOTS): Promise<(() => void) | undefined> {
  const { protocol, host } = new URL(url, location.href);
  if (protocol !== "http:" || !navigator.locks) return () => {};
  return new Promise(
    (resolve) =>
      navigator.locks
        .request(`tapecast ${host} ${slot}`, { ifAvailable: true }, (lock) =>
          lock
            ? new Promise<void>((release) => resolve(release))
            : resolve(slot > 1 ? acquireSlot(url, slot - 1) : undefined),
        )
        .catch(() => resolve(() => {})), // locks are forbidden here, as in a sandboxed frame
  );
}

export interface TabSlot {
  /** Hold a slot, once. @throws StreamError if other tabs hold all of them. */
  claim(): Promise<void>;
  release(): void;
}

export function createTabSlot(url: string): TabSlot {
  let slot: ReturnType<typeof acquireSlot> | undefined;
  return {
    async claim() {
      slot ??= acquireSlot(url);
      const claimed = slot;
      if (await claimed) return;
      if (slot === claimed) slot = undefined;
      throw new StreamError(
        "limit",
        "other tabs hold five of this browser's six HTTP/1.1 connections to the gateway: close one, " +
          "or serve HTTP/2",
        RETRY_MS,
      );
    },
    release() {
      // A slot that is still being acquired is released when it arrives.
      slot?.then((free) => free?.());
      slot = undefined;
    },
  };
}
