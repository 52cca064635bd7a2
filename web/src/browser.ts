/** What a browser tells of itself: network, sight, sleep. */

export interface BrowserEvents {
  /** There may be a network again, or somebody looks again. */
  awake(): void;
  /** The network has gone. */
  offline(): void;
  visibility(): void;
  /** The page is being left, and may come back as it was (bfcache). */
  left(): void;
  restored(): void;
}

/** Follow them until the returned function is called. Where there is no browser nothing happens. */
export function followBrowser(on: BrowserEvents): () => void {
  if (typeof document === "undefined") return () => {};
  const stop = new AbortController();
  const follow = (target: EventTarget, name: string, listener: (event: Event) => void) =>
    target.addEventListener(name, listener, { signal: stop.signal });
  follow(window, "online", on.awake);
  follow(window, "offline", on.offline);
  follow(window, "pagehide", on.left);
  follow(window, "pageshow", (event) => (event as PageTransitionEvent).persisted && on.restored());
  follow(document, "visibilitychange", () => {
    on.visibility();
    if (!document.hidden) on.awake();
  });
  return () => stop.abort();
}
