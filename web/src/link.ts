/** One EventSource, from its ticket to its end. It never reconnects by itself. */

import { StreamError } from "./connection-state.ts";
import type { EventSourceLike, MarketClientOptions } from "./options.ts";
import { ticketFor } from "./requests.ts";

const CONNECT_MS = 10_000;
const NO_ANSWER =
  "no answer for 10 s: the gateway is unreachable, or other tabs hold this browser's six " +
  "HTTP/1.1 connections to the gateway";

// A browser reports no status and no reason; only `hello` shows that the gateway accepted a stream.
const LOST = "the connection was lost";
const REJECTED = "the gateway rejected the stream";

const EVENT_NAMES = [
  "hello",
  "ready",
  "heartbeat",
  "feed",
  "bye",
  "gap",
  "price",
  "status",
  "position",
  "account",
  "orders",
  "news",
  "trade",
  "correction",
  "cancel",
  "quote",
  "luld",
  "imbalance",
  "book",
  "bar.1Min",
  "bar.5Min",
  "bar.15Min",
  "bar.1Hour",
  "bar.1Day",
  "reload",
];

export interface Link {
  /** Sorted. */
  topics: string[];
  /** The open positions that the stream has sent. */
  readonly positions: Set<string>;
  id: string | null;
  /** The snapshot is complete. */
  ready: boolean;
  heartbeatMs: number;
  /** When the last event arrived, unix ms. */
  lastEventAt: number;
  close(): void;
  /** Close the stream and report its end. */
  end(error: StreamError): void;
}

export interface LinkEvents {
  /** Waited for before the ticket is requested. It may throw a StreamError. */
  before(): Promise<unknown>;
  received(link: Link, name: string, data: never, cursor: string): void;
  /** The stream has ended, and `close` was not called. */
  ended(link: Link, error: StreamError): void;
}

/** Open a stream of topics that resumes after the event id `cursor`. */
export function openLink(
  options: MarketClientOptions,
  topics: string[],
  cursor: string,
  on: LinkEvents,
): Link {
  const stop = new AbortController();
  let source: EventSourceLike | undefined;
  const timeout = setTimeout(() => link.end(new StreamError("timeout", NO_ANSWER)), CONNECT_MS);
  const link: Link = {
    topics,
    positions: new Set(),
    id: null,
    ready: false,
    heartbeatMs: CONNECT_MS,
    lastEventAt: Date.now(),
    close() {
      clearTimeout(timeout);
      stop.abort();
      source?.close();
    },
    end(error) {
      if (stop.signal.aborted) return;
      link.close();
      on.ended(link, error);
    },
  };
  function receive(name: string, { data, lastEventId }: MessageEvent) {
    if (stop.signal.aborted) return;
    if (name === "hello") clearTimeout(timeout);
    link.lastEventAt = Date.now();
    const parsed = parse(data);
    if (parsed) on.received(link, name, parsed, lastEventId);
  }
  async function open() {
    await on.before();
    const ticket = await ticketFor(options, topics, stop.signal);
    if (stop.signal.aborted) return;
    source = connect(options, topics, cursor, ticket);
    for (const name of EVENT_NAMES) source.addEventListener(name, (event) => receive(name, event));
    source.addEventListener("error", () => link.end(networkError(link.id ? LOST : REJECTED)));
  }
  open().catch((error) => link.end(asStreamError(error)));
  return link;
}

function connect(
  options: MarketClientOptions,
  topics: string[],
  cursor: string,
  ticket: string | undefined,
): EventSourceLike {
  const query = new URLSearchParams({ topics: topics.join() });
  if (options.interval !== undefined) query.set("interval", `${options.interval}`);
  if (cursor) query.set("last_event_id", cursor);
  if (ticket) query.set("ticket", ticket);
  const url = `${options.url ?? ""}/api/stream?${query}`;
  return options.eventSource?.(url) ?? new EventSource(url);
}

/** Return undefined for malformed JSON: one bad event must not end the stream. */
function parse(text: string): never | undefined {
  try {
    return JSON.parse(text) as never;
  } catch {
    return undefined;
  }
}

const networkError = (message: string) => new StreamError("network", message);

const asStreamError = (error: unknown) =>
  error instanceof StreamError
    ? error
    : networkError(`the gateway is unreachable: ${(error as Error).message}`);
