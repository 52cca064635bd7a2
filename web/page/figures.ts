/** How figures are written on the page. */

import { type Formats, formats } from "../src/index.ts";

const made = new Map<string, Formats>();

/** Return the formats of a currency; without one, those of prices. */
export function figures(currency: string | null = null): Formats {
  const key = currency ?? "";
  const found = made.get(key) ?? formats(undefined, currency);
  made.set(key, found);
  return found;
}
