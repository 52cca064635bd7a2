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
  const claims = new Map<string, { count: number; releasedAt: number }>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = 0;
  let told = "";

  function settle() {
    timer = undefined;
    for (const [topic, { count, releasedAt }] of claims) {
      if (count > 0) continue;
      const ms = releasedAt + LINGER_MS - Date.now();
      if (ms > 0) later(ms);
      else claims.delete(topic);
    }
    const topics = [...claims.keys()].sort();
    if (topics.join() === told) return;
    told = topics.join();
    changed(topics);
  }
  function later(ms: number) {
    if (timer !== undefined && due <= Date.now() + ms) return;
    clearTimeout(timer);
    due = Date.now() + ms;
    timer = setTimeout(settle, ms);
  }
  return {
    claim(topics) {
      const held = topics.map((topic) => {
        const claim = claims.get(topic) ?? { count: 0, releasedAt: 0 };
        claims.set(topic, claim);
        claim.count++;
        return claim;
      });
      later(GATHER_MS);
      return () => {
        for (const claim of held.splice(0)) {
          claim.count--;
          claim.releasedAt = Date.now();
        }
        later(LINGER_MS);
      };
    },
    clear() {
      clearTimeout(timer);
      timer = undefined;
      claims.clear();
      told = "";
    },
  };
}
