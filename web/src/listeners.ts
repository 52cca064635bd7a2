/** Listeners by name. */

export interface Listeners<Listener> {
  /** Add a listener until the returned function is called. */
  add(name: string, listener: Listener): () => void;
  of(name: string): Iterable<Listener>;
  clear(): void;
}

export function createListeners<Listener>(): Listeners<Listener> {
  const all = new Map<string, Set<Listener>>();
  return {
    add(name, listener) {
      const those = all.get(name) ?? new Set();
      all.set(name, those.add(listener));
      return () => {
        those.delete(listener);
        if (!those.size && all.get(name) === those) all.delete(name);
      };
    },
    of: (name) => all.get(name) ?? [],
    clear: () => all.clear(),
  };
}
