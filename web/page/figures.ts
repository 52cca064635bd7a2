/** The formats of figures on the page. */

import { type Formats, formats } from "../src/index.ts";

const made = new Map<string, Formats>();

/** Return the formats of a currency; null for the formats of prices. */
export function figures(currency: string | null = null): Formats {
  const key = currency ?? "";
  const found = made.get(key) ?? formats(undefined, currency);
  made.set(key, found);
  return found;
}
