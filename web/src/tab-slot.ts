/** A tab's place among those of one browser that hold a stream of the same server open. */

const SLOTS = 5;

export const NO_SLOT =
  "five tabs of this browser hold a stream of this gateway already, and a browser opens six " +
  "HTTP/1.1 connections to one server: close one of them, or serve HTTP/2 (over TLS)";

/**
 * Take a place and return what gives it back; null where there is none.
 *
 * A sixth stream over HTTP/1.1 would leave no connection to load a page with: a browser then hangs
 * without a word. Over TLS there may be HTTP/2, which has no such limit.
 */
export async function takeSlot(url: string): Promise<(() => void) | null> {
  const { protocol, host } = new URL(url, location.href);
  const locks = navigator.locks;
  if (protocol !== "http:" || locks === undefined) return () => {};
  for (let slot = 1; slot <= SLOTS; slot++) {
    const free = await new Promise<(() => void) | null>((resolve) => {
      locks
        .request(`tapecast ${host} ${slot}`, { ifAvailable: true }, (lock) =>
          lock === null ? resolve(null) : new Promise<void>((release) => resolve(release)),
        )
        .catch(() => resolve(() => {})); // not allowed here, as in a sandboxed frame
    });
    if (free !== null) return free;
  }
  return null;
}
