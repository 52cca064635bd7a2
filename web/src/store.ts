/** The newest value of each topic, and the listeners to its replacement. */

import { frames } from "./frames.ts";
import { createListeners } from "./listeners.ts";
import { isNewer } from "./topics.ts";
import type { ValueOf, Values } from "./values.ts";

export interface Store extends Values {
  /** Replace a value. Its listeners are called with the next frame. */
  set(topic: string, value: unknown): void;
  /** Store an event if it is newer than its topic's value: streams overlap. Return whether it is. */
  apply(topic: string, event: { event_id: string }): boolean;
  /** Let any event replace the values. */
  renumber(): void;
  clear(): void;
}

export function createStore(): Store {
  const values = new Map<string, unknown>();
  const listeners = createListeners<() => void>();
  const dirty = new Set<string>();
  const clock = frames(flush);

  function flush() {
    // A listener of many topics is called once.
    const due = new Set<() => void>();
    for (const topic of dirty) for (const each of listeners.of(topic)) due.add(each);
    dirty.clear();
    for (const each of due) each();
  }
  function set(topic: string, value: unknown) {
    values.set(topic, value);
    dirty.add(topic);
    clock.request();
  }
  return {
    get: <Topic extends string>(topic: Topic) => values.get(topic) as ValueOf<Topic> | undefined,
    set,
    apply(topic, event) {
      const old = values.get(topic) as { event_id: string } | undefined;
      const newer = !old || isNewer(event.event_id, old.event_id);
      if (newer) set(topic, event);
      return newer;
    },
    renumber() {
      for (const value of values.values()) Object.assign(value as object, { event_id: "0-0" });
    },
    subscribe: listeners.add,
    clear() {
      clock.cancel();
      listeners.clear();
      dirty.clear();
    },
  };
}
