/** Values that are shown less often than they change. */

import type { ValueOf, Values } from "./values.ts";

/** Seconds between two changes of what is shown, 0 for every frame; `paused` for none. */
export type Pace = number | "paused";

export interface PacedValues extends Values {
  setPace(pace: Pace): void;
}

/** Return values that change at a pace; the connection is always told at once. */
export function paced(values: Values): PacedValues {
  const shown = new Map<string, unknown>();
  const followers = new Set<readonly [topic: string, listener: () => void]>();
  let pace: Pace = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  /** Of what is new the first value is waited for, also while paused. */
  function keep(topic: string) {
    const now = values.get(topic);
    if (now !== undefined) shown.set(topic, now);
  }
  function catchUp() {
    shown.clear();
    for (const [, listener] of followers) listener();
  }
  return {
    get<Topic extends string>(topic: Topic) {
      if (pace === 0 || topic === "connection") return values.get(topic);
      if (!shown.has(topic)) keep(topic);
      return shown.get(topic) as ValueOf<Topic> | undefined;
    },
    subscribe(topic, listener) {
      const follower = [topic, listener] as const;
      followers.add(follower);
      const unfollow = values.subscribe(topic, () => {
        if (pace === 0 || topic === "connection" || !shown.has(topic)) listener();
      });
      return () => {
        unfollow();
        followers.delete(follower);
      };
    },
    setPace(next) {
      if (next === pace) return;
      clearInterval(timer);
      // What is on the screen now is what stays there.
      if (pace === 0) for (const [topic] of followers) keep(topic);
      pace = next;
      if (next === "paused") return;
      catchUp();
      if (next) timer = setInterval(catchUp, next * 1000);
    },
  };
}
