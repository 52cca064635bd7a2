/** Values that are shown less often than they change: see `Paced`. */

import type { ValueOf, Values } from "./values.ts";

/** Seconds between two changes of the shown values, 0 for every frame; `paused` for no changes. */
export type Pace = number | "paused";

export interface PacedValues extends Values {
  setPace(pace: Pace): void;
}

/** Return values that change at a pace. The connection is always current. */
export function paced(values: Values): PacedValues {
  /** The values that were read last, and are on the screen. */
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
      // The first value of a topic is shown even while paused: there is no older one to keep.
      if (pace === 0 || topic === "connection" || shown.get(topic) === undefined)
        shown.set(topic, values.get(topic));
      return shown.get(topic) as ValueOf<Topic> | undefined;
    },
    subscribe(topic, listener) {
      const follower = [listener] as const;
      followers.add(follower);
      // The listener is passed on unwrapped, so that a listener of many topics is called once a
      // frame. While the shown values stay the same, it finds no change.
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
