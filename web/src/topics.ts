/** The gateway's topics and event ids. */

const STOCK = /^([A-Z][A-Z0-9]{0,11}(\.[A-Z0-9]{1,4}){0,2}|[0-9][A-Z0-9]{5,11})$/;
const PAIR = /^[A-Z0-9]{2,10}\/[A-Z]{3,5}$/;
/** The OCC's symbol with no padding. */
const OPTION = /^[A-Z]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}$/;

/** A pair as the broker writes it: no stock has six letters. */
const BARE_PAIR = /^(?=[A-Z]{6})([A-Z]{2,10}?)(USD[TC]?|BTC)$/;

/** Return whether a word can be a symbol: `BRK.B`, `BTC/USD`, `AAPL261218C00250000`. */
export const isSymbol = (word: string): boolean =>
  STOCK.test(word) || PAIR.test(word) || OPTION.test(word);

/** Return a word in the form that topics use: in capitals, and `BTC/USD` for `btcusd`. */
export const symbolOf = (word: string): string =>
  word.trim().toUpperCase().replace(BARE_PAIR, "$1/$2");

/** Return symbols in the form that topics use: each once, sorted. */
export const normalized = (symbols: readonly string[]): string[] =>
  [...new Set(symbols.map(symbolOf))].filter(Boolean).sort();

/** Return the price and status topics of symbols. */
export const priceTopics = (symbols: readonly string[]): string[] =>
  symbols.flatMap((symbol) => [`price:${symbol}`, `status:${symbol}`]);

/** Return whether an id `<epoch>-<seq>` comes after another. */
export function isNewer(id: string, than: string): boolean {
  const [epoch, seq] = id.split("-") as [string, string];
  const [thanEpoch, thanSeq] = than.split("-") as [string, string];
  return (+epoch - +thanEpoch || +seq - +thanSeq) > 0;
}
