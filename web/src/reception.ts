/** Applies the events of streams to the store. */

import { StreamError } from "./connection-state.ts";
import type { Bye, Feed, Gap, Heartbeat, Hello, Position } from "./events.ts";
import type { Link } from "./link.ts";
import type { Store } from "./store.ts";

export interface Reception {
  /** The newest feed event, kept up to date by heartbeats. */
  feed: Feed | null;
  /** Topics that the token does not allow. */
  denied: readonly string[];
  /** Symbols whose data a simulator invents. */
  invented: readonly string[];
  /** The id after which the next stream resumes; empty to resume nothing. */
  cursor: string;
  receive(link: Link, name: string, data: never, id: string): void;
}

type Handler = (link: Link, data: never) => void;

/**
 * Call `emit` with each event, except a value that is not newer than the stored one, and `control`
 * after each event about the stream itself.
 */
export function createReception(
  store: Store,
  emit: (name: string, data: unknown) => void,
  control: (name: string) => void,
): Reception {
  const reception: Reception = {
    feed: null,
    denied: [],
    invented: [],
    cursor: "",
    receive(link, name, data, id) {
      if (id) reception.cursor = id;
      const handle = handlers[name];
      handle?.(link, data);
      if (handle || applyValue(store, link, name, data)) emit(name, data);
      if (handle) control(name);
    },
  };
  const handlers: Record<string, Handler | undefined> = {
    hello(link, { stream_id, heartbeat_seconds, denied, invented = [] }: Hello) {
      Object.assign(link, { id: stream_id, heartbeatMs: heartbeat_seconds * 1000 });
      Object.assign(reception, { denied, invented });
    },
    feed(_, feed: Feed) {
      reception.feed = feed;
    },
    heartbeat(_, { feed_state: state, session, lag_ms }: Heartbeat) {
      const { feed } = reception;
      if (feed) reception.feed = { ...feed, state, session, lag_ms };
    },
    gap(_, { reason }: Gap) {
      // The gateway had shown ids from a clock that was ahead: the next ones are lower.
      if (reason === "started_over") store.renumber();
    },
    ready(link) {
      link.ready = true;
      if (link.topics.includes("position:*")) listPositions(store, link);
    },
    bye(link, { reason, retry_ms }: Bye) {
      const code = reason === "busy" ? "limit" : "network";
      link.end(new StreamError(code, `the gateway ended the stream: ${reason}`, retry_ms));
    },
  };
  return reception;
}

/** Return whether the event is newer than the stored value of its topic, which it then replaces. */
function applyValue(
  store: Store,
  link: Link,
  name: string,
  data: { event_id: string; symbol?: string },
): boolean {
  const newer = store.apply(data.symbol ? `${name}:${data.symbol}` : name, data);
  if (name === "position") {
    const { symbol, removed } = data as Position;
    const { positions } = link;
    const moved = removed ? positions.delete(symbol) : positions.size < positions.add(symbol).size;
    // Before `ready` the list is incomplete: the table would lose its rows and regain them.
    if (moved && link.ready) listPositions(store, link);
  }
  return newer;
}

function listPositions(store: Store, link: Link) {
  store.set("positions", [...link.positions].sort());
}
