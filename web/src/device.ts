/** What a device reports: the passing of time, its network, visibility and sleep. */

const TICK_MS = 1000;

export interface DeviceEvents {
  /** Once a second, unless the device sleeps. */
  tick(): void;
  /** The network may be back, or a person looks at the page again. */
  awake(): void;
  /** The network is gone. */
  offline(): void;
  /** The page is being left; it may return unchanged from the back-forward cache. */
  left(): void;
  restored(): void;
}

/** Follow them until the returned function is called. Without a browser there are only ticks. */
export function followDevice(on: DeviceEvents): () => void {
  const timer = setInterval(on.tick, TICK_MS);
  const stop = new AbortController();
  const follow = (target: EventTarget, name: string, listener: (event: Event) => void) =>
    target.addEventListener(name, listener, { signal: stop.signal });
  if (typeof document !== "undefined") {
    follow(window, "online", on.awake);
    follow(window, "offline", on.offline);
    follow(window, "pagehide", on.left);
    // `pageshow` fires after every load; only a page from the cache has lost its stream.
    follow(
      window,
      "pageshow",
      (event) => (event as PageTransitionEvent).persisted && on.restored(),
    );
    follow(document, "visibilitychange", () => document.hidden || on.awake());
  }
  return () => {
    clearInterval(timer);
    stop.abort();
  };
}
