/** Topics and their ids, as the gateway has them. */

const SYMBOL = /^[A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4})?$/;

/** Tell whether a word can be a stock symbol: `BRK.B`. Of other words there are no prices. */
export const isStock = (symbol: string): boolean => SYMBOL.test(symbol);

/** Return symbols as topics are made of them: each once, in capitals, sorted. */
export const normalized = (symbols: readonly string[]): string[] =>
  [...new Set(symbols.map((each) => each.trim().toUpperCase()))].filter(Boolean).sort();

/** Return the topics of prices, each with its symbol's status. */
export const priceTopics = (symbols: readonly string[]): string[] =>
  symbols.flatMap((symbol) => [`price:${symbol}`, `status:${symbol}`]);

/** Tell whether an id `<epoch>-<seq>` comes after another. */
export function isNewer(id: string, than: string): boolean {
  const [epoch, seq] = id.split("-") as [string, string];
  const [thanEpoch, thanSeq] = than.split("-") as [string, string];
  return (+epoch - +thanEpoch || +seq - +thanSeq) > 0;
}
