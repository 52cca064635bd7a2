/** Values that are shown less often than they change. */

import type { ValueOf, Values } from "./values.ts";

/** Seconds between two changes of what is shown, 0 for every frame; `paused` for none. */
export type Pace = number | "paused";

export interface PacedValues extends Values {
  setPace(pace: Pace): void;
}

/** Return values that change at a pace; the connection is always told at once. */
export function paced(values: Values): PacedValues {
  /** What was read last: it is what is on the screen. */
  const shown = new Map<string, unknown>();
  const followers = new Set<readonly [listener: () => void]>();
  let pace: Pace = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  function catchUp() {
    shown.clear();
    for (const [listener] of followers) listener();
  }
  return {
    get paused() {
      return pace === "paused" || values.paused;
    },
    get<Topic extends string>(topic: Topic) {
      // Of what is new the first value is waited for, also while paused.
      if (pace === 0 || topic === "connection" || shown.get(topic) === undefined)
        shown.set(topic, values.get(topic));
      return shown.get(topic) as ValueOf<Topic> | undefined;
    },
    subscribe(topic, listener) {
      const follower = [listener] as const;
      followers.add(follower);
      // As it is, so that a listener of many topics is called once a frame; for nothing, while what
      // is shown stays.
      const unfollow = values.subscribe(topic, listener);
      return () => {
        unfollow();
        followers.delete(follower);
      };
    },
    setPace(next) {
      if (next === pace) return;
      clearInterval(timer);
      pace = next;
      if (next === "paused") return;
      catchUp();
      if (next) timer = setInterval(catchUp, next * 1000);
    },
  };
}
