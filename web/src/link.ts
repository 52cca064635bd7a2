/** One EventSource, from its ticket to its end. It is never left to reconnect by itself. */

import type { EventSourceLike, MarketClientOptions } from "./client.ts";
import { StreamError } from "./connection-state.ts";
import { ticketFor } from "./requests.ts";

const CONNECT_MS = 10_000;

const NAMES =
  "hello ready heartbeat feed bye gap price status position account orders news trade correction cancel quote book bar.1Min bar.5Min bar.1Day";

export interface Link {
  readonly topics: Set<string>;
  /** Open positions that it has brought. */
  readonly positions: Set<string>;
  id: string | null;
  ready: boolean;
  heartbeatMs: number;
  /** When it was last heard, unix ms. */
  heardAt: number;
  close(): void;
  /** Close it, and have that told. */
  end(error: StreamError): void;
}

export interface LinkEvents {
  received(link: Link, name: string, data: never, cursor: string): void;
  /** It has ended, and not because it was closed. */
  ended(link: Link, error: StreamError): void;
}

/** Open a stream of topics; `before` is waited for first, and may refuse. */
export function openLink(
  options: MarketClientOptions,
  topics: string[],
  cursor: string,
  before: () => Promise<void>,
  on: LinkEvents,
): Link {
  const stop = new AbortController();
  let source: EventSourceLike | undefined;
  const timeout = setTimeout(
    () =>
      end(
        new StreamError(
          "timeout",
          "no answer for 10 s: other tabs hold all of this browser's six HTTP/1.1 connections to the " +
            "gateway, or it is away",
        ),
      ),
    CONNECT_MS,
  );
  const link: Link = {
    topics: new Set(topics),
    positions: new Set(),
    id: null,
    ready: false,
    heartbeatMs: CONNECT_MS,
    heardAt: Date.now(),
    close,
    end,
  };

  function close() {
    clearTimeout(timeout);
    stop.abort();
    source?.close();
  }
  function end(error: StreamError) {
    if (stop.signal.aborted) return;
    close();
    on.ended(link, error);
  }
  async function open() {
    await before();
    const ticket = await ticketFor(options, topics, stop.signal);
    if (stop.signal.aborted) return;
    const query = new URLSearchParams({ topics: topics.join() });
    if (options.interval !== undefined) query.set("interval", `${options.interval}`);
    if (cursor) query.set("last_event_id", cursor);
    if (ticket) query.set("ticket", ticket);
    const url = `${options.url ?? ""}/api/stream?${query}`;
    source = options.eventSource?.(url) ?? new EventSource(url);
    for (const name of NAMES.split(" "))
      source.addEventListener(name, (event) => receive(name, event));
    source.addEventListener("error", () =>
      end(
        new StreamError(
          "network",
          link.id ? "the connection was lost" : "the gateway opens no stream",
        ),
      ),
    );
  }
  function receive(name: string, event: MessageEvent) {
    if (stop.signal.aborted) return;
    if (name === "hello") clearTimeout(timeout);
    link.heardAt = Date.now();
    let data: never;
    try {
      data = JSON.parse(event.data) as never;
    } catch {
      return; // one bad event must not end the stream
    }
    on.received(link, name, data, event.lastEventId);
  }
  open().catch((error: unknown) =>
    end(
      error instanceof StreamError
        ? error
        : new StreamError("network", `no way to the gateway: ${(error as Error).message}`),
    ),
  );
  return link;
}
