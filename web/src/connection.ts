/** The one stream of a client: a state machine, whose table is in transitions.ts. */

import { type Connection, StreamError } from "./connection-state.ts";
import { followDevice } from "./device.ts";
import { connectionIndicator, indicator, isSilent, LATE_BEATS } from "./indicator.ts";
import { type Link, openLink } from "./link.ts";
import type { MarketClientOptions } from "./options.ts";
import { createReception, type Reception } from "./reception.ts";
import { changeTopics } from "./requests.ts";
import { createRetry, type Retry } from "./retry.ts";
import type { Store } from "./store.ts";
import { createTabSlot, type TabSlot } from "./tab-slot.ts";
import { ALWAYS, type State, type StreamEvent, TRANSITIONS } from "./transitions.ts";

/** A stream that is silent for this many heartbeats is replaced; sooner when a person returns. */
const SILENT_BEATS = 2.5;

export class StreamMachine {
  #state: State = "idle";
  #wanted: string[] = [];
  /** The stream that is being opened, or is ready. */
  #current: Link | null = null;
  /** A second stream while it is being opened: it replaces the current one when it is ready. */
  #next: Link | null = null;
  #unfollow: (() => void) | undefined;
  readonly #options: MarketClientOptions;
  readonly #report: (connection: Connection) => void;
  readonly #retry: Retry;
  readonly #slot: TabSlot;
  readonly #reception: Reception;

  constructor(
    options: MarketClientOptions,
    store: Store,
    emit: (name: string, data: unknown) => void,
    report: (connection: Connection) => void,
  ) {
    this.#options = options;
    this.#report = report;
    this.#retry = createRetry(options.random ?? Math.random, () => this.#send("due"));
    this.#slot = createTabSlot(options.url ?? "");
    this.#reception = createReception(store, emit, (name) => this.#control(name));
  }

  /** Bring the stream to these topics; end it if there are none. */
  want = (topics: string[]): void => {
    if (topics.join() === this.#wanted.join()) return;
    this.#wanted = topics;
    this.#send(topics.length ? "topics" : "none");
  };
  reconnect = (): void => {
    if (!this.#wanted.length) return;
    this.#retry.attempt = 0;
    this.#closeStreams();
    this.#send("reconnect");
  };

  #send(event: StreamEvent) {
    const state = TRANSITIONS[this.#state][event] ?? ALWAYS[event];
    if (state) {
      // No timer outlives the state that planned it.
      this.#retry.cancel();
      this.#state = state;
      this.#enter[state]?.();
    }
    this.#publish();
  }

  /** The effects of entering a state. */
  readonly #enter: Partial<Record<State, () => void>> = {
    idle: () => {
      this.#leave();
      this.#unfollow?.();
      this.#unfollow = undefined;
      this.#retry.attempt = 0;
      this.#retry.error = null;
      this.#reception.cursor = "";
    },
    opening: () => {
      this.#unfollow ??= this.#follow();
      // If the current stream was lost while it was being replaced, the second one is under way.
      this.#promote();
      this.#current ??= this.#open();
    },
    open: () => {
      this.#retry.error = null;
      this.#promote();
      if (this.#current?.topics.join() !== this.#wanted.join()) this.#send("different");
    },
    changing: () => this.#change(),
    replacing: () => {
      this.#next = this.#open();
    },
    postponed: () => this.#retry.plan(),
    waiting: () => this.#retry.plan(),
    stopped: () => this.#leave(),
  };
  #follow() {
    return followDevice({
      tick: () => this.#checkSilence(SILENT_BEATS),
      awake: () => {
        // A gateway or a browser at its limit has no more room because a person returns.
        if (this.#retry.error?.code !== "limit") this.#send("due");
        this.#checkSilence(LATE_BEATS);
      },
      offline: () => this.#publish(),
      left: () => this.#send("left"),
      restored: this.reconnect,
    });
  }
  #open(): Link {
    return openLink(this.#options, this.#wanted, this.#reception.cursor, {
      // A fake EventSource uses none of the browser's connections.
      before: async () => this.#options.eventSource || this.#slot.claim(),
      received: this.#reception.receive,
      ended: (link, why) => this.#ended(link, why),
    });
  }
  #promote() {
    if (!this.#next) return;
    this.#current?.close();
    this.#current = this.#next;
    this.#next = null;
  }
  #closeStreams() {
    this.#current?.close();
    this.#next?.close();
    this.#current = this.#next = null;
  }
  #leave() {
    this.#closeStreams();
    this.#slot.release();
  }
  async #change() {
    const link = this.#current as Link;
    const wanted = this.#wanted;
    const add = absent(wanted, link.topics);
    const remove = absent(link.topics, wanted);
    const invented = await changeTopics(this.#options, `${link.id}`, add, remove).catch(
      () => undefined,
    );
    // A stream that ended in the meantime has moved the machine on.
    if (link !== this.#current) return;
    if (invented) {
      link.topics = wanted;
      // The ticket was for the changed topics only, and so is the answer.
      const known = this.#reception.invented;
      const more = absent(invented, known);
      if (more.length) this.#reception.invented = [...known, ...more];
    }
    // Topics that could not be removed do no harm. They go with the stream.
    const lacking = absent(this.#wanted, link.topics).length;
    this.#send(invented ? "changed" : lacking ? "unchanged" : "unremoved");
  }
  #ended(link: Link, why: StreamError) {
    const isNext = link === this.#next;
    if (isNext) this.#next = null;
    else this.#current = null;
    this.#retry.error = why;
    this.#retry.attempt++;
    this.#send(why.retryable ? (isNext ? "nextLost" : "lost") : "rejected");
  }
  /** React to an event about the stream itself. */
  #control(name: string) {
    // `ready` is no proof of health: a gateway in trouble may end each stream right after it.
    if (name === "heartbeat") this.#retry.attempt = 0;
    if (name === "ready") this.#send("ready");
    else this.#publish();
  }
  /** End a silent stream. The wall clock counts the time that a device slept, too. */
  #checkSilence(beats: number) {
    if (this.#current?.ready && isSilent(this.#current, Date.now(), beats))
      this.#current.end(new StreamError("timeout", "the gateway is silent", 0));
    this.#publish();
  }
  #publish() {
    const current = this.#current;
    const { feed, denied, invented } = this.#reception;
    const { error, attempt, retryAt } = this.#retry;
    const now = Date.now();
    this.#report({
      ...(this.#wanted.length ? connectionIndicator(current, error, feed, now) : indicator("idle")),
      connected: !!current?.ready && !isSilent(current, now, LATE_BEATS),
      error,
      attempt,
      retryAt,
      feed,
      streamId: current?.id ?? null,
      denied,
      invented,
    });
  }
}

/** Return the topics, or symbols, that are not among others. */
const absent = (topics: readonly string[], others: readonly string[]) =>
  topics.filter((topic) => !others.includes(topic));
