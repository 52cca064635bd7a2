/** The gateway's topics and event ids. */

const SYMBOL = /^([A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4}){0,2}|[0-9][A-Z0-9]{5,11})$/;

/** Return whether a word can be a stock symbol, such as `BRK.B`. Other words have no prices. */
export const isStock = (symbol: string): boolean => SYMBOL.test(symbol);

/** Return symbols in the form that topics use: unique, in capitals, sorted. */
export const normalized = (symbols: readonly string[]): string[] =>
  [...new Set(symbols.map((each) => each.trim().toUpperCase()))].filter(Boolean).sort();

/** Return the price and status topics of symbols. */
export const priceTopics = (symbols: readonly string[]): string[] =>
  symbols.flatMap((symbol) => [`price:${symbol}`, `status:${symbol}`]);

/** Return whether an id `<epoch>-<seq>` comes after another. */
export function isNewer(id: string, than: string): boolean {
  const [epoch, seq] = id.split("-") as [string, string];
  const [thanEpoch, thanSeq] = than.split("-") as [string, string];
  return (+epoch - +thanEpoch || +seq - +thanSeq) > 0;
}
