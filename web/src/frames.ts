/** When what has arrived is shown: once a frame, and each second while nobody looks. */

const HIDDEN_MS = 1000;

export interface Frames {
  /** Have `flush` called with the next frame. */
  request(): void;
  /** Follow the page into the background, or back. */
  visibility(): void;
  cancel(): void;
}

/** A hidden page has no frames at all, so a timer stands in for them. */
export function frames(flush: () => void): Frames {
  let forget: (() => void) | undefined;

  function cancel() {
    forget?.();
    forget = undefined;
  }
  function run() {
    forget = undefined;
    flush();
  }
  function request() {
    if (forget) return;
    if (globalThis.document?.hidden === false) {
      const frame = requestAnimationFrame(run);
      forget = () => cancelAnimationFrame(frame);
    } else {
      const timer = setTimeout(run, HIDDEN_MS);
      forget = () => clearTimeout(timer);
    }
  }
  function visibility() {
    if (!forget) return;
    cancel();
    if (document.hidden) request();
    else flush();
  }
  return { request, visibility, cancel };
}
