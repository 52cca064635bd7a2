/** A tab's place among those of one browser that hold a stream of the same server open. */

const SLOTS = 5;

export const NO_SLOT =
  "other tabs hold five of this browser's six HTTP/1.1 connections to the gateway: close one, or " +
  "serve HTTP/2 (over TLS)";

/**
 * Take a place and return what gives it back; undefined where there is none.
 *
 * A sixth stream over HTTP/1.1 would leave no connection to load a page with: a browser then hangs
 * without a word. Over TLS there may be HTTP/2, which has no such limit.
 */
export async function takeSlot(url: string, slot = SLOTS): Promise<(() => void) | undefined> {
  const { protocol, host } = new URL(url, location.href);
  if (protocol !== "http:" || !navigator.locks) return () => {};
  return new Promise(
    (resolve) =>
      navigator.locks
        .request(`tapecast ${host} ${slot}`, { ifAvailable: true }, (lock) =>
          lock
            ? new Promise<void>((release) => resolve(release))
            : resolve(slot > 1 ? takeSlot(url, slot - 1) : undefined),
        )
        .catch(() => resolve(() => {})), // not allowed here, as in a sandboxed frame
  );
}
