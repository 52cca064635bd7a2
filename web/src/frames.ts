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
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function cancel() {
    if (frame) cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    timer = undefined;
  }
  function run() {
    cancel();
    flush();
  }
  function request() {
    if (frame || timer !== undefined) return;
    if (typeof requestAnimationFrame === "function" && !globalThis.document?.hidden)
      frame = requestAnimationFrame(run);
    else timer = setTimeout(run, HIDDEN_MS);
  }
  function visibility() {
    if (!frame && timer === undefined) return;
    cancel();
    if (document.hidden) request();
    else flush();
  }
  return { request, visibility, cancel };
}
