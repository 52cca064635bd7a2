/** Who wants which topics, counted. */

const GATHER_MS = 50;
const LINGER_MS = 5000;

export interface Claims {
  /** Claim topics; the returned function gives them back, once. */
  claim(topics: readonly string[]): () => void;
  clear(): void;
}

/**
 * `changed` is told what is wanted: soon after a claim, so that all those of a page are one change,
 * and long after a release, so that whoever comes back at once changes nothing.
 */
export function createClaims(changed: (topics: string[]) => void): Claims {
  let counts = new Map<string, number>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let gathering = false;

  function later(ms: number, then: () => void) {
    const timer = setTimeout(() => {
      timers.delete(timer);
      then();
    }, ms);
    timers.add(timer);
  }
  function gather() {
    gathering = false;
    changed([...counts.keys()].sort());
  }
  function count(those: Map<string, number>, topics: readonly string[], by: number) {
    for (const topic of topics) {
      const left = (those.get(topic) ?? 0) + by;
      if (left) those.set(topic, left);
      else those.delete(topic);
    }
    if (!gathering) later(GATHER_MS, gather);
    gathering = true;
  }
  return {
    claim(topics) {
      const those = counts;
      let held = topics;
      count(those, held, 1);
      return () => {
        const released = held;
        held = [];
        later(LINGER_MS, () => count(those, released, -1));
      };
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      gathering = false;
      counts = new Map();
    },
  };
}
