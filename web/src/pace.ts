/** Values that are shown less often than they change. */

import { createListeners } from "./listeners.ts";
import type { ValueOf, Values } from "./values.ts";

/** Seconds between two changes of what is shown, 0 for every frame; `paused` for none. */
export type Pace = number | "paused";

export interface PacedValues extends Values {
  setPace(pace: Pace): void;
}

/** Return values that change at a pace; the connection is always told at once. */
export function paced(values: Values): PacedValues {
  const shown = new Map<string, unknown>();
  const listeners = createListeners<() => void>();
  let pace: Pace = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  /** Of what is new the first value is waited for, also while paused. */
  function keep(topic: string) {
    const now = values.get(topic);
    if (now !== undefined) shown.set(topic, now);
  }
  function catchUp() {
    shown.clear();
    const due = new Set<() => void>();
    for (const topic of listeners.names()) for (const each of listeners.of(topic)) due.add(each);
    for (const each of due) each();
  }
  return {
    get<Topic extends string>(topic: Topic) {
      if (pace === 0 || topic === "connection") return values.get(topic);
      if (!shown.has(topic)) keep(topic);
      return shown.get(topic) as ValueOf<Topic> | undefined;
    },
    subscribe(topic, listener) {
      const forget = listeners.add(topic, listener);
      const unfollow = values.subscribe(topic, () => {
        if (pace === 0 || topic === "connection" || !shown.has(topic)) listener();
      });
      return () => {
        unfollow();
        forget();
      };
    },
    setPace(next) {
      if (next === pace) return;
      clearInterval(timer);
      // What is on the screen now is what stays there.
      if (pace === 0) for (const topic of listeners.names()) keep(topic);
      pace = next;
      if (typeof next === "number" && next > 0) timer = setInterval(catchUp, next * 1000);
      if (next !== "paused") catchUp();
    },
  };
}
