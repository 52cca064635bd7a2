const FIRST_MS = 1000;
const MOST_MS = 30_000;

/** Return how long to wait before an attempt, in ms: anything up to a bound that doubles. */
export const backoff = (attempt: number, random: () => number): number =>
  random() * Math.min(MOST_MS, FIRST_MS * 2 ** (attempt - 1));
