/** When new values are shown: with the next frame, or each second while the page is hidden. */

const HIDDEN_MS = 1000;

export interface Frames {
  /** Call `flush` with the next frame. */
  request(): void;
  cancel(): void;
}

export function frames(flush: () => void): Frames {
  const page = globalThis.document as Document | undefined;
  /** Cancels the flush that is due; undefined if none is. */
  let forget: (() => void) | undefined;

  function cancel() {
    page?.removeEventListener("visibilitychange", turn);
    forget?.();
    forget = undefined;
  }
  function run() {
    cancel();
    flush();
  }
  function request() {
    if (forget) return;
    page?.addEventListener("visibilitychange", turn);
    // A hidden page has no frames, and Node has none either.
    if (page?.hidden === false) {
      const frame = requestAnimationFrame(run);
      forget = () => cancelAnimationFrame(frame);
    } else {
      const timer = setTimeout(run, HIDDEN_MS);
      forget = () => clearTimeout(timer);
    }
  }
  /** The page was hidden or shown: its frame will not come, or is due now. */
  function turn() {
    cancel();
    if (page?.hidden) request();
    else flush();
  }
  return { request, cancel };
}
