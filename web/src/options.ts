/** How a client reaches a gateway. */

/** The part of an EventSource that the client uses. */
export interface EventSourceLike {
  addEventListener(name: string, listener: (event: MessageEvent) => void): void;
  close(): void;
}

export interface MarketClientOptions {
  /** The gateway's base URL, `https://gateway.example`. Defaults to the page's origin. */
  url?: string | undefined;
  /** The API token, or a function that returns it. It is sent in a header, never in a URL. */
  token?: string | (() => string | null | undefined) | undefined;
  /**
   * Get a ticket from your own backend, which keeps the token. Throw a `StreamError` to report why
   * there is no ticket. Return undefined if the gateway accepts the stream without one.
   */
  ticket?: ((topics: string[], signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /** Seconds between two updates of one topic, 0 to 60. Defaults to the gateway's own interval. */
  interval?: number | undefined;
  /** Create an EventSource. Defaults to the browser's. */
  eventSource?: ((url: string) => EventSourceLike) | undefined;
  /** Defaults to the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Log each change of the connection. The log contains no ticket. */
  debug?: boolean | undefined;
  /** Return a number from 0 to below 1, for the retry delays. Defaults to `Math.random`. */
  random?: (() => number) | undefined;
}
