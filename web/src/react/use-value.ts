/** Reading values and claiming topics. */

import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { ValueOf, Values } from "../values.ts";
import { useClient, useValues } from "./context.tsx";

/** Return a topic's value as shown. It watches nothing: see `useWatch`. */
export const useValue = <Topic extends string>(topic: Topic): ValueOf<Topic> | undefined =>
  useEach<ValueOf<Topic>>(topic)[0];

/**
 * Return the values of several topics that there are: the same array until one is replaced.
 *
 * `key` is the topics, separated by commas.
 */
export function useEach<Value>(key: string): readonly Value[] {
  const values = useValues();
  const source = useMemo(() => each<Value>(values, key), [values, key]);
  return useSyncExternalStore(source.subscribe, source.get, none<Value>);
}

const NONE: readonly never[] = [];
const none = <Value>(): readonly Value[] => NONE;

function each<Value>(values: Values, key: string) {
  const topics = key ? key.split(",") : [];
  let seen: readonly Value[] = NONE;
  return {
    subscribe(listener: () => void) {
      const ends = topics.map((topic) => values.subscribe(topic, listener));
      return () => {
        for (const end of ends) end();
      };
    },
    get() {
      const now = topics
        .map((topic) => values.get(topic) as Value | undefined)
        .filter((value) => value !== undefined);
      if (now.length !== seen.length || now.some((value, at) => value !== seen[at])) seen = now;
      return seen;
    },
  };
}

/** Watch topics while mounted. What they are decides, not which array they are in. */
export function useWatch(topics: readonly string[]): void {
  const client = useClient();
  const key = topics.join();
  useEffect(() => (key ? client.watch(key.split(",")) : undefined), [client, key]);
}
