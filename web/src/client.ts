/** The client: everything of the package but React. */

import { createClaims } from "./claims.ts";
import { StreamMachine } from "./connection.ts";
import type { Connection } from "./connection-state.ts";
import { createListeners } from "./listeners.ts";
import type { MarketClientOptions } from "./options.ts";
import { createStore } from "./store.ts";
import type { Values } from "./values.ts";

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
