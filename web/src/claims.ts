/** Counts of the claims for each topic. */

const GATHER_MS = 50;
const LINGER_MS = 5000;

export interface Claims {
  /** Claim topics until the returned function is called. */
  claim(topics: readonly string[]): () => void;
  clear(): void;
}

/**
 * Call `changed` with the claimed topics, sorted: shortly after a claim, so that all claims of a
 * page are one change, and seconds after a release, so that a remounted component changes nothing.
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
      let claimed = topics;
      count(those, claimed, 1);
      return () => {
        const released = claimed;
        claimed = []; // a second call releases nothing
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
