/** The one stream of a client: opened, watched, changed, opened again. */

import { backoff } from "./backoff.ts";
import { followBrowser } from "./browser.ts";
import { changeTopics } from "./change.ts";
import type { MarketClientOptions } from "./client.ts";
import { type Connection, StreamError } from "./connection-state.ts";
import type { Bye, Feed, Heartbeat, Hello, Position } from "./events.ts";
import { connectionIndicator, LATE_BEATS } from "./indicator.ts";
import { type Link, openLink } from "./link.ts";
import type { Store } from "./store.ts";
import { NO_SLOT, takeSlot } from "./tab-slot.ts";

const TICK_MS = 1000;
/** After so many heartbeats of silence a stream is opened anew; sooner when somebody comes back. */
const SILENT_BEATS = 2.5;
const NO_SLOT_RETRY_MS = 3000;

export interface StreamConnection {
  /** Have the stream bring just these topics; none ends it. */
  want(topics: readonly string[]): void;
  reconnect(): void;
}

type Told = (name: string, data: unknown) => void;

export function createConnection(
  options: MarketClientOptions,
  store: Store,
  told: Told,
  log: (...words: unknown[]) => void,
): StreamConnection {
  let wanted: string[] = [];
  let current: Link | null = null;
  /** The stream that takes over when it is ready: make before break. */
  let next: Link | null = null;
  let changing = false;
  let attempt = 0;
  let error: StreamError | null = null;
  /** Until something is changed by a person, an attempt would fail again. */
  let blocked = false;
  let retryAt: number | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let tick: ReturnType<typeof setInterval> | undefined;
  let unfollow: (() => void) | undefined;
  let slot: (() => void) | null = null;
  let feed: Feed | null = null;
  let denied: string[] = [];
  let cursor = "";
  let shown: Connection | undefined;

  const online = () => globalThis.navigator?.onLine !== false;

  function publish() {
    const ready = current?.ready === true;
    const transport = {
      watching: wanted.length > 0,
      online: online(),
      ready,
      silentMs: current ? Date.now() - current.heardAt : 0,
      heartbeatMs: current?.heartbeatMs ?? 0,
      error,
    };
    const fresh: Connection = {
      ...connectionIndicator(transport, feed),
      connected: ready && transport.silentMs <= transport.heartbeatMs * SILENT_BEATS,
      error,
      attempt,
      retryAt,
      feed,
      streamId: current?.id ?? null,
      denied,
    };
    const keys = Object.keys(fresh) as (keyof Connection)[];
    if (keys.every((key) => shown?.[key] === fresh[key])) return;
    if (shown?.state !== fresh.state) log(fresh.label, fresh.detail ?? "");
    shown = fresh;
    store.set("connection", fresh);
  }

  function want(topics: readonly string[]) {
    wanted = [...topics];
    blocked = false;
    if (wanted.length > 0 && unfollow === undefined) begin();
    if (wanted.length === 0) end();
    else sync();
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
    clearTimeout(retry);
    retryAt = null;
    slot?.();
    slot = null;
  }

  /** Make the stream what is wanted, by the smallest step. */
  function sync() {
    if (blocked || next || changing || retryAt !== null || wanted.length === 0) return;
    if (current === null) {
      current = open();
      return;
    }
    if (!current.ready) return;
    const { topics } = current;
    const add = wanted.filter((topic) => !topics.has(topic));
    const remove = [...topics].filter((topic) => !wanted.includes(topic));
    if (add.length + remove.length > 0) change(current, add, remove);
  }
  async function change(link: Link, add: string[], remove: string[]) {
    changing = true;
    for (const topic of add) link.topics.add(topic);
    const changed = await changeTopics(options, `${link.id}`, add, remove).catch(() => false);
    changing = false;
    // What could not be removed does no harm and goes with the stream.
    for (const topic of changed ? remove : add) link.topics.delete(topic);
    if (changed || link !== current) sync();
    else if (add.length > 0) next = open();
  }
  function open(): Link {
    log("opens a stream of", wanted.length, "topics");
    return openLink(options, wanted, cursor, claimSlot, { received, ended });
  }
  async function claimSlot() {
    if (options.eventSource || slot) return;
    const found = await takeSlot(options.url ?? "");
    if (found === null) throw new StreamError("limit", NO_SLOT, NO_SLOT_RETRY_MS);
    if (slot || (!current && !next)) found();
    else slot = found;
  }

  function ended(link: Link, why: StreamError) {
    if (link === next) next = null;
    else if (link === current) current = null;
    error = why;
    blocked = !why.retryable;
    attempt++;
    log("lost:", why.message);
    if (!blocked) again(why.retryMs ?? backoff(attempt, options.random ?? Math.random));
    publish();
  }
  function again(ms: number) {
    clearTimeout(retry);
    retryAt = Date.now() + ms;
    retry = setTimeout(retryNow, ms);
  }
  function retryNow() {
    clearTimeout(retry);
    retryAt = null;
    sync();
    publish();
  }
  function reconnect() {
    blocked = false;
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
    if (current?.ready && Date.now() - current.heardAt > current.heartbeatMs * beats) {
      current.close();
      ended(current, new StreamError("silent", "nothing was heard from the gateway", 0));
    }
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
      link.close();
      const words = reason === "busy" ? "the gateway has no room for one stream more" : reason;
      ended(link, new StreamError(reason === "busy" ? "limit" : "network", words, retry_ms));
    } else if (!take(link, name, data)) return;
    else return told(name, data);
    told(name, data);
    publish();
  }
  function beat({ feed_state: state, session, lag_ms }: Heartbeat) {
    attempt = 0;
    if (feed && (feed.state !== state || feed.session !== session || feed.lag_ms !== lag_ms))
      feed = { ...feed, state, session, lag_ms };
  }
  function ready(link: Link) {
    link.ready = true;
    error = null;
    if (link === next) {
      current?.close();
      current = next;
      next = null;
    }
    if (link.topics.has("position:*")) setOpen([...link.positions]);
    sync();
  }
  function take(link: Link, name: string, data: { event_id: string; symbol?: string }): boolean {
    const newer = store.take(data.symbol ? `${name}:${data.symbol}` : name, data);
    if (name === "position") {
      const { symbol, removed } = data as Position;
      link.positions[removed ? "delete" : "add"](symbol);
      if (link.ready) setOpen([...link.positions]);
    }
    return newer;
  }
  function setOpen(symbols: string[]) {
    symbols.sort();
    if (store.get("positions")?.join() !== symbols.join()) store.set("positions", symbols);
  }

  return { want, reconnect };
}
