/** The symbols and the interval in the page's address. Pure. */

import { isSymbol, symbolOf } from "../src/index.ts";

const DEFAULT_SYMBOLS = "SPY,IBM,BAC,AIG";
const MOST_SECONDS = 60;

/** Words that may be symbols, and words that cannot be symbols; each once. */
export interface Words {
  symbols: string[];
  bad: string[];
}

/** Split typed text into words: `spy, brk.b`. */
export function parseWords(text: string): Words {
  const words = [...new Set(text.split(/[\s,;]+/).map(symbolOf))].filter(Boolean);
  return { symbols: words.filter(isSymbol), bad: words.filter((word) => !isSymbol(word)) };
}

/** Return the base URL of the gateway that serves the page, possibly under a path of a proxy. */
export const gatewayOf = (page: string): string => new URL(".", page).href.slice(0, -1);

/** Return the symbols of an address's query, in its order; none for `symbols=`. */
export const symbolsOf = (search: string): Words =>
  parseWords(new URLSearchParams(search).get("symbols") ?? DEFAULT_SYMBOLS);

/** Return an address's query with other symbols and the same other parameters. */
export function withSymbols(search: string, symbols: readonly string[]): string {
  const query = new URLSearchParams(search);
  query.delete("symbols");
  const rest = query.toString();
  return `?symbols=${symbols.join()}${rest && `&${rest}`}`;
}

/** Return the seconds between two updates of a topic, 0 to 60; undefined for the default. */
export function intervalOf(search: string): number | undefined {
  const text = new URLSearchParams(search).get("interval");
  const seconds = Number(text);
  return text && seconds >= 0 && seconds <= MOST_SECONDS ? seconds : undefined;
}
