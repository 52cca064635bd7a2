/** The one stream of a client: opened, watched, changed, opened again. */

import { backoff } from "./backoff.ts";
import { followBrowser } from "./browser.ts";
import type { MarketClientOptions } from "./client.ts";
import { type Connection, StreamError } from "./connection-state.ts";
import type { Bye, Feed, Heartbeat, Hello, Position } from "./events.ts";
import { connectionIndicator, indicator, isSilent, LATE_BEATS } from "./indicator.ts";
import { type Link, openLink } from "./link.ts";
import { changeTopics } from "./requests.ts";
import type { Store } from "./store.ts";
import { NO_SLOT, takeSlot } from "./tab-slot.ts";

const TICK_MS = 1000;
/** After so many heartbeats of silence a stream is opened anew; sooner when somebody comes back. */
const SILENT_BEATS = 2.5;
const NO_SLOT_RETRY_MS = 3000;

export interface StreamConnection {
  /** Have the stream bring just these topics; none ends it. */
  want(topics: string[]): void;
  reconnect(): void;
}

type Told = (name: string, data: unknown) => void;

export function createConnection(
  options: MarketClientOptions,
  store: Store,
  told: Told,
  log: (connection: Connection) => void,
): StreamConnection {
  let wanted: string[] = [];
  let current: Link | null = null;
  /** The stream that takes over when it is ready: make before break. */
  let next: Link | null = null;
  let changing = false;
  let attempt = 0;
  let error: StreamError | null = null;
  let retryAt: number | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let tick: ReturnType<typeof setInterval> | undefined;
  let unfollow: (() => void) | undefined;
  let slot: (() => void) | undefined;
  let feed: Feed | null = null;
  let denied: readonly string[] = [];
  let cursor = "";
  let shown: Connection | undefined;

  function publish() {
    const now = Date.now();
    const fresh: Connection = {
      ...(wanted.length ? connectionIndicator(current, error, feed, now) : indicator("idle")),
      connected: !!current?.ready && !isSilent(current, now, LATE_BEATS),
      error,
      attempt,
      retryAt,
      feed,
      streamId: current?.id ?? null,
      denied,
    };
    const keys = Object.keys(fresh) as (keyof Connection)[];
    if (keys.every((key) => shown?.[key] === fresh[key])) return;
    log(fresh);
    shown = fresh;
    store.set("connection", fresh);
  }

  function want(topics: string[]) {
    if (topics.join() === wanted.join()) return;
    wanted = topics;
    if (!wanted.length) end();
    else if (!unfollow) begin();
    sync();
    publish();
  }
  function begin() {
    tick = setInterval(watch, TICK_MS, SILENT_BEATS);
    unfollow = followBrowser({
      awake,
      offline: publish,
      visibility: store.frames.visibility,
      left: suspend,
      restored: reconnect,
    });
  }
  function end() {
    suspend();
    clearInterval(tick);
    unfollow?.();
    unfollow = undefined;
    attempt = 0;
    error = null;
    cursor = "";
  }
  /** Close whatever is open or planned; nothing is forgotten. */
  function suspend() {
    current?.close();
    next?.close();
    current = next = null;
    unplan();
    slot?.();
    slot = undefined;
  }

  /** Make the stream what is wanted, by the smallest step. */
  function sync() {
    if (next || changing || retryAt !== null || !wanted.length) return;
    current ??= open();
    if (!current.ready) return;
    const { topics } = current;
    const add = wanted.filter((topic) => !topics.has(topic));
    const remove = [...topics].filter((topic) => !wanted.includes(topic));
    if (add.length + remove.length) change(current, add, remove);
  }
  async function change(link: Link, add: string[], remove: string[]) {
    changing = true;
    for (const topic of add) link.topics.add(topic);
    const changed = await changeTopics(options, `${link.id}`, add, remove).catch(() => false);
    changing = false;
    // What could not be removed does no harm and goes with the stream.
    for (const topic of changed ? remove : add) link.topics.delete(topic);
    if (changed || link !== current) sync();
    else if (add.length) next = open();
  }
  function open(): Link {
    return openLink(options, wanted, cursor, claimSlot, { received, ended });
  }
  async function claimSlot() {
    if (options.eventSource || slot) return;
    const found = await takeSlot(options.url ?? "");
    if (!found) throw new StreamError("limit", NO_SLOT, NO_SLOT_RETRY_MS);
    if (slot || (!current && !next)) found();
    else slot = found;
  }

  function ended(link: Link, why: StreamError) {
    if (link === next) next = null;
    else if (link === current) current = null;
    error = why;
    attempt++;
    unplan();
    // Where it is not, the same request would fail again: somebody has to change something.
    if (why.retryable) {
      const ms = why.retryMs ?? backoff(attempt, options.random ?? Math.random);
      retryAt = Date.now() + ms;
      retry = setTimeout(retryNow, ms);
    }
    publish();
  }
  function unplan() {
    clearTimeout(retry);
    retryAt = null;
  }
  function retryNow() {
    unplan();
    sync();
    publish();
  }
  function reconnect() {
    attempt = 0;
    suspend();
    retryNow();
  }
  function awake() {
    if (retryAt !== null && error?.code !== "limit") retryNow();
    watch(LATE_BEATS);
  }
  /** A device that slept has been silent, too: the clock on the wall tells. */
  function watch(beats: number) {
    if (current?.ready && isSilent(current, Date.now(), beats))
      current.end(new StreamError("timeout", "the gateway fell silent", 0));
    publish();
  }

  function received(link: Link, name: string, data: never, id: string) {
    if (id) cursor = id;
    if (name === "hello") {
      const hello: Hello = data;
      link.id = hello.stream_id;
      link.heartbeatMs = hello.heartbeat_seconds * 1000;
      denied = hello.denied;
    } else if (name === "feed") feed = data;
    else if (name === "heartbeat") beat(data);
    else if (name === "ready") ready(link);
    else if (name === "bye") {
      const { reason, retry_ms }: Bye = data;
      const code = reason === "busy" ? "limit" : "network";
      link.end(new StreamError(code, `the gateway says: ${reason}`, retry_ms));
    } else {
      if (take(link, name, data)) told(name, data);
      return;
    }
    told(name, data);
    publish();
  }
  function beat({ feed_state: state, session, lag_ms }: Heartbeat) {
    attempt = 0;
    if (feed) feed = { ...feed, state, session, lag_ms };
  }
  function ready(link: Link) {
    link.ready = true;
    error = null;
    if (link === next) {
      current?.close();
      current = next;
      next = null;
    }
    if (link.topics.has("position:*")) setOpen(link);
    sync();
  }
  function take(link: Link, name: string, data: { event_id: string; symbol?: string }): boolean {
    const newer = store.take(data.symbol ? `${name}:${data.symbol}` : name, data);
    if (name === "position") {
      const { symbol, removed } = data as Position;
      const { positions } = link;
      const moved = removed
        ? positions.delete(symbol)
        : positions.size < positions.add(symbol).size;
      if (moved && link.ready) setOpen(link);
    }
    return newer;
  }
  function setOpen(link: Link) {
    store.set("positions", [...link.positions].sort());
  }

  return { want, reconnect };
}
