/** The client: everything of the package but React. */

import { createClaims } from "./claims.ts";
import { createConnection } from "./connection.ts";
import type { Connection } from "./connection-state.ts";
import { createListeners } from "./listeners.ts";
import { createStore } from "./store.ts";
import type { Values } from "./values.ts";

/** As much of an EventSource as is used. */
export interface EventSourceLike {
  addEventListener(name: string, listener: (event: MessageEvent) => void): void;
  close(): void;
}

/** How to reach a gateway. */
export interface MarketClientOptions {
  /** The gateway's base URL, `https://gateway.example`; the page's own origin without. */
  url?: string | undefined;
  /** The API token, for the request of each ticket; it is never part of a URL. */
  token?: string | (() => string | null | undefined) | undefined;
  /**
   * Get a ticket elsewhere, from a backend that keeps the token. Throw a StreamError to say why not;
   * return undefined where the stream is let in without one.
   */
  ticket?: ((topics: string[], signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /** Seconds between two updates of one topic, 0 to 60; the gateway's own default without. */
  interval?: number | undefined;
  /** Another EventSource than the browser's. */
  eventSource?: ((url: string) => EventSourceLike) | undefined;
  fetch?: typeof fetch | undefined;
  /** Log each change of the connection; no ticket is part of it. */
  debug?: boolean | undefined;
  /** From 0 to below 1. */
  random?: (() => number) | undefined;
}

/** One stream of a gateway for all who watch something, opened while somebody does. */
export interface MarketClient extends Values {
  /** Want topics (`price:SPY` `status:SPY` `position:*` `account`) until the returned function is called. */
  watch(topics: readonly string[]): () => void;
  /** Call `listener` at each event of a name (`price` `trade` `heartbeat`), when it arrives. */
  on(name: string, listener: (data: never) => void): () => void;
  /** Connect anew and at once: after signing in, or at a person's wish. */
  reconnect(): void;
  /** End the stream and forget who watches. */
  close(): void;
  debug: boolean;
}

/** Make a client. It opens nothing before something is watched, and works without a browser too. */
export function createMarketClient(options: MarketClientOptions = {}): MarketClient {
  const listeners = createListeners<(data: never) => void>();
  const store = createStore();
  function log(connection: Connection) {
    if (client.debug) console.debug("[tapecast]", connection.label, connection);
  }
  function told(name: string, data: unknown) {
    for (const each of listeners.of(name)) each(data as never);
  }
  const connection = createConnection(options, store, told, log);
  const claims = createClaims(connection.want);

  const client: MarketClient = {
    get: store.get,
    subscribe: store.subscribe,
    watch: claims.claim,
    on: listeners.add,
    reconnect: connection.reconnect,
    close() {
      claims.clear();
      connection.want([]);
      listeners.clear();
      store.clear();
    },
    debug: options.debug ?? false,
  };
  return client;
}
