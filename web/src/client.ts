/** The client: the part of the package that does not need React. */

import { createClaims } from "./claims.ts";
import { StreamMachine } from "./connection.ts";
import type { Connection } from "./connection-state.ts";
import { createListeners } from "./listeners.ts";
import type { MarketClientOptions } from "./options.ts";
import { createStore } from "./store.ts";
import type { Values } from "./values.ts";

/** One stream of a gateway, shared by all watchers. It is open while a topic is watched. */
export interface MarketClient extends Values {
  /** Watch topics (`price:SPY` `position:*` `account`) until the returned function is called. */
  watch(topics: readonly string[]): () => void;
  /** Call `listener` with each event of a name (`price` `trade` `heartbeat`) when it arrives. */
  on(name: string, listener: (data: never) => void): () => void;
  /** Connect again immediately, for example after signing in. */
  reconnect(): void;
  /** End the stream and forget all watchers and listeners. */
  close(): void;
  debug: boolean;
}

/** Create a client. It opens its stream when the first topic is watched. It also works in Node. */
export function createMarketClient(options: MarketClientOptions = {}): MarketClient {
  const listeners = createListeners<(data: never) => void>();
  const store = createStore();
  let shown: Connection | undefined;
  function report(connection: Connection) {
    const keys = Object.keys(connection) as (keyof Connection)[];
    if (keys.every((key) => shown?.[key] === connection[key])) return;
    shown = connection;
    if (client.debug) console.debug("[tapecast]", connection.label, connection);
    store.set("connection", connection);
  }
  function emit(name: string, data: unknown) {
    for (const each of listeners.of(name)) each(data as never);
  }
  const connection = new StreamMachine(options, store, emit, report);
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
    debug: !!options.debug,
  };
  return client;
}
