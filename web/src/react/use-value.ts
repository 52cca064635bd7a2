/** The hooks that read values and claim topics. */

import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { ValueOf, Values } from "../values.ts";
import { useClient, useValues } from "./context.tsx";

/** Return a topic's value at the pace of the nearest `Paced`. Only `useWatch` watches a topic. */
export const useValue = <Topic extends string>(topic: Topic): ValueOf<Topic> | undefined =>
  useEach<ValueOf<Topic>>(topic)[0];

/**
 * Return the known values of several topics: the same array until one of them is replaced.
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

/** Watch topics while the component is mounted. An equal array changes nothing. */
export function useWatch(topics: readonly string[]): void {
  const client = useClient();
  const key = topics.join();
  useEffect(() => (key ? client.watch(key.split(",")) : undefined), [client, key]);
}
